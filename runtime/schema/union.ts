// Whether an already read value fits a shape: unions try their members in order, the first that fits wins (contract H-56).
import { parseDateTime } from "./datetime";
import { formatDecimal, parseDecimal } from "./decimal";
import { Float, put } from "./json-syntax";
import type { Shape, ShapeField } from "./shape";

/** The answer of a fitter for a value that does not fit. */
export const NO_FIT: unique symbol = Symbol("no fit");

/** Converts a value whose floats are `Float`s to the shape's JavaScript value, or says that it does not fit. */
export type Fitter = (shape: Shape, raw: unknown) => unknown;

export function createFitter(newDecimal: (text: string) => unknown): Fitter {
  const fit: Fitter = (shape, raw) => {
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
        return decimal(raw, newDecimal);
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
        return fit(shape.target!, raw);
      case "checked": {
        const value = fit(shape.inner, raw);
        return value === NO_FIT || shape.check(value, raw instanceof Float) !== undefined ? NO_FIT : value;
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

function decimal(raw: unknown, newDecimal: (text: string) => unknown): unknown {
  const value = typeof raw === "string" ? parseDecimal(raw) : "";
  return typeof value === "string" ? NO_FIT : newDecimal(formatDecimal(value));
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

function struct(fields: readonly ShapeField[], raw: Record<string, unknown>, fit: Fitter): unknown {
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
