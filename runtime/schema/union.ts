// Whether an already read value fits a shape: unions try their members in order, the first that fits wins (contract H-56).
import { parseDateTime } from "./datetime";
import { boundedDecimal } from "./decimal";
import { Float, put } from "./json-syntax";
import { PAUSED, type Pace } from "./pace";
import type { Shape, ShapeField } from "./shape";
import type { Work } from "./work";

/** The answer of a fitter for a value that does not fit. */
export const NO_FIT: unique symbol = Symbol("no fit");

type NewDecimal = (text: string) => unknown;

/**
 * Converts a value whose floats are `Float`s to the shape's JavaScript value, or says that it does not fit. Returns PAUSED where
 * the pace says so: then it is called again with the same arguments.
 */
export type Fit = (shape: Shape, raw: unknown) => unknown;

/** Of one value. Types inside themselves are tried at each object once: members of unions that fail at their end would otherwise double the work with every level. */
export function createFit(newDecimal: NewDecimal, { work, pace }: { work: Work; pace: Pace }): Fit {
  const unbox = (raw: unknown): unknown => {
    if (raw instanceof Float) return raw.value;
    if (Array.isArray(raw)) return every(raw, unbox, pace);
    return isObject(raw) ? entries(raw, unbox, pace) : raw;
  };
  const known = new Map<Shape, Map<unknown, unknown>>();
  const again = (shape: Shape, raw: unknown): unknown => {
    if (typeof raw !== "object" || raw === null) return fit(shape, raw);
    let values = known.get(shape);
    if (!values) known.set(shape, (values = new Map()));
    if (values.has(raw)) return values.get(raw);
    const value = fit(shape, raw);
    if (value !== PAUSED) values.set(raw, value);
    return value;
  };
  const fit: Fit = (shape, raw) => {
    switch (shape.kind) {
      case "any":
        return unbox(raw);
      case "null":
        return raw === null ? null : NO_FIT;
      case "bool":
        return typeof raw === "boolean" ? raw : NO_FIT;
      case "string":
        return typeof raw === "string" ? raw : NO_FIT;
      case "number":
        return number(raw);
      case "time":
        return time(raw);
      case "decimal":
        return decimal(raw, newDecimal, work);
      case "literal":
        return (
          raw instanceof Float ? raw.value === shape.value && !Number.isInteger(shape.value) : raw === shape.value
        )
          ? shape.value
          : NO_FIT;
      case "list":
        return Array.isArray(raw) ? every(raw, (v) => fit(shape.elem, v), pace) : NO_FIT;
      case "map":
        return isObject(raw) ? entries(raw, (v) => fit(shape.value, v), pace) : NO_FIT;
      case "struct":
        return isObject(raw) ? struct(shape.fields, raw, fit, pace) : NO_FIT;
      case "union":
        return first(shape.of, (s) => fit(s, raw), pace);
      case "option":
        return raw === null ? null : fit(shape.value, raw);
      case "ref":
        return again(shape.target!, raw);
      case "checked": {
        const value = fit(shape.inner, raw);
        if (value === NO_FIT || value === PAUSED) return value;
        return shape.check(value, raw instanceof Float, work) === undefined ? value : NO_FIT;
      }
    }
  };
  return fit;
}

function isObject(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Float);
}

function number(raw: unknown): unknown {
  if (raw instanceof Float) return raw.value;
  return typeof raw === "number" || typeof raw === "bigint" ? raw : NO_FIT;
}

function time(raw: unknown): unknown {
  const value = typeof raw === "string" ? parseDateTime(raw) : "";
  return typeof value === "string" ? NO_FIT : value;
}

function decimal(raw: unknown, newDecimal: NewDecimal, work: Work): unknown {
  if (typeof raw !== "string") return NO_FIT;
  const value = boundedDecimal(raw, work);
  return "problem" in value ? NO_FIT : newDecimal(value.text);
}

function first(shapes: readonly Shape[], fit: (shape: Shape) => unknown, pace: Pace): unknown {
  for (let i = pace.isResuming ? pace.resume<number>() : 0; i < shapes.length; i++) {
    const value = fit(shapes[i]!);
    if (value === PAUSED) return pace.pause(i);
    if (value !== NO_FIT) return value;
  }
  return NO_FIT;
}

function every(items: readonly unknown[], fit: (value: unknown) => unknown, pace: Pace): unknown {
  const out = pace.isResuming ? pace.resume<unknown[]>() : [];
  while (out.length < items.length) {
    const value = fit(items[out.length]);
    if (value === PAUSED) return pace.pause(out);
    if (value === NO_FIT) return NO_FIT;
    out.push(value);
    if (pace.isDue()) return pace.pause(out);
  }
  return out;
}

/** How far an object has been fitted: its keys, or the fields of its type, up to `next`. */
interface ObjectFrame<Key> {
  out: Record<string, unknown>;
  keys: readonly Key[];
  next: number;
}

function entries(raw: Record<string, unknown>, fit: (value: unknown) => unknown, pace: Pace): unknown {
  const frame: ObjectFrame<string> = pace.isResuming ? pace.resume() : { out: {}, keys: Object.keys(raw), next: 0 };
  while (frame.next < frame.keys.length) {
    const key = frame.keys[frame.next]!;
    const value = fit(raw[key]);
    if (value === PAUSED) return pace.pause(frame);
    if (value === NO_FIT) return NO_FIT;
    put(frame.out, key, value);
    frame.next++;
    if (pace.isDue()) return pace.pause(frame);
  }
  return frame.out;
}

function struct(fields: readonly ShapeField[], raw: Record<string, unknown>, fit: Fit, pace: Pace): unknown {
  const frame: ObjectFrame<ShapeField> = pace.isResuming ? pace.resume() : { out: {}, keys: fields, next: 0 };
  for (; frame.next < fields.length; frame.next++) {
    const field = fields[frame.next]!;
    if (!Object.hasOwn(raw, field.name)) {
      if (field.optional) continue;
      return NO_FIT;
    }
    const value = fit(field.shape, raw[field.name]);
    if (value === PAUSED) return pace.pause(frame);
    if (value === NO_FIT) return NO_FIT;
    put(frame.out, field.name, value);
  }
  return frame.out;
}
