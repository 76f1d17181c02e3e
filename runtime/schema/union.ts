// Whether an already read value fits a shape: unions try their members in order, the first that fits wins (contract H-56).
import { parseDateTime } from "./datetime";
import { boundedDecimal } from "./decimal";
import { Float, put } from "./json-syntax";
import type { Shape, ShapeField } from "./shape";
import type { Work } from "./work";

/** The answer of a fitter for a value that does not fit. */
export const NO_FIT: unique symbol = Symbol("no fit");

type NewDecimal = (text: string) => unknown;

/** Converts a value whose floats are `Float`s to the shape's JavaScript value, or says that it does not fit. */
export type Fitter = (shape: Shape, raw: unknown, work: Work) => unknown;

type Fit = (shape: Shape, raw: unknown) => unknown;

export function createFitter(newDecimal: NewDecimal): Fitter {
  return (shape, raw, work) => fitterOf(newDecimal, work)(shape, raw);
}

/** Of one value. Types inside themselves are tried at each object once: members of unions that fail at their end would otherwise double the work with every level. */
function fitterOf(newDecimal: NewDecimal, work: Work): Fit {
  const known = new Map<Shape, Map<unknown, unknown>>();
  const again = (shape: Shape, raw: unknown): unknown => {
    if (typeof raw !== "object" || raw === null) return fit(shape, raw);
    let values = known.get(shape);
    if (!values) known.set(shape, (values = new Map()));
    if (values.has(raw)) return values.get(raw);
    const value = fit(shape, raw);
    values.set(raw, value);
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
        return Array.isArray(raw) ? every(raw, (v) => fit(shape.elem, v)) : NO_FIT;
      case "map":
        return isObject(raw) ? entries(raw, (v) => fit(shape.value, v)) : NO_FIT;
      case "struct":
        return isObject(raw) ? struct(shape.fields, raw, fit) : NO_FIT;
      case "union":
        return first(shape.of, (s) => fit(s, raw));
      case "option":
        return raw === null ? null : fit(shape.value, raw);
      case "ref":
        return again(shape.target!, raw);
      case "checked": {
        const value = fit(shape.inner, raw);
        return value === NO_FIT || shape.check(value, raw instanceof Float, work) !== undefined ? NO_FIT : value;
      }
    }
  };
  return fit;
}

function isObject(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Float);
}

function unbox(raw: unknown): unknown {
  if (raw instanceof Float) return raw.value;
  if (Array.isArray(raw)) return raw.map(unbox);
  return isObject(raw) ? entries(raw, unbox) : raw;
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

function first(shapes: readonly Shape[], fit: (shape: Shape) => unknown): unknown {
  for (const shape of shapes) {
    const value = fit(shape);
    if (value !== NO_FIT) return value;
  }
  return NO_FIT;
}

function every(items: readonly unknown[], fit: (value: unknown) => unknown): unknown {
  const out: unknown[] = [];
  for (const item of items) {
    const value = fit(item);
    if (value === NO_FIT) return NO_FIT;
    out.push(value);
  }
  return out;
}

function entries(raw: Record<string, unknown>, fit: (value: unknown) => unknown): unknown {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(raw)) {
    const value = fit(raw[key]);
    if (value === NO_FIT) return NO_FIT;
    put(out, key, value);
  }
  return out;
}

function struct(fields: readonly ShapeField[], raw: Record<string, unknown>, fit: Fit): unknown {
  const out: Record<string, unknown> = {};
  for (const field of fields) {
    if (!Object.hasOwn(raw, field.name)) {
      if (field.optional) continue;
      return NO_FIT;
    }
    const value = fit(field.shape, raw[field.name]);
    if (value === NO_FIT) return NO_FIT;
    put(out, field.name, value);
  }
  return out;
}
