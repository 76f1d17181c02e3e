// JavaScript → JSON as the native side of Encore converts it (contract 13.4, N-1). Published messages and
// log fields go through it: what cannot be told apart on the wire must not be told apart here.

export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

const DEPTH_MAX = 128;

/** A value that has no JSON form. */
export class UnrepresentableError extends Error {}

/** RFC 3339 in UTC; a fraction only where there is one. An invalid date becomes the epoch, as officially (Appendix C, N-1). */
export function dateText(date: Date): string {
  const time = date.getTime();
  return (Number.isNaN(time) ? new Date(0) : date).toISOString().replace(".000Z", "Z");
}

function isDecimal(value: object): value is { value: { toString(): string } } {
  return "__encore_decimal" in value && "value" in value;
}

function plainObject(value: object, depth: number): Plain {
  const result: { [key: string]: Plain } = {};
  // Inherited enumerable properties count (H-84): for..in, not Object.keys.
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    if (field === undefined) continue;
    const plain = toPlain(field, depth + 1);
    if (key === "__proto__") Object.defineProperty(result, key, { value: plain, enumerable: true, configurable: true, writable: true });
    else result[key] = plain;
  }
  return result;
}

function plainFromObject(value: object, depth: number): Plain {
  if (Array.isArray(value)) return value.map((item) => toPlain(item, depth + 1));
  if (value instanceof Date) return dateText(value);
  if (isDecimal(value)) return String(value.value);
  return plainObject(value, depth);
}

/**
 * The JSON form of `value`; `undefined` properties are left out.
 * @throws UnrepresentableError for functions, symbols, `undefined` itself, NaN, infinities and nesting beyond 128 levels
 */
export function toPlain(value: unknown, depth = 0): Plain {
  if (depth > DEPTH_MAX) throw new UnrepresentableError(`the value is nested deeper than ${DEPTH_MAX} levels`);
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new UnrepresentableError("InvalidArg, Failed to convert js number to serde_json::Number");
      return value;
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : plainFromObject(value, depth);
    case "function":
      throw new UnrepresentableError("InvalidArg, JS functions cannot be represented as a serde_json::Value");
    case "symbol":
      throw new UnrepresentableError("InvalidArg, JS symbols cannot be represented as a serde_json::Value");
    default:
      throw new UnrepresentableError("InvalidArg, undefined cannot be represented as a serde_json::Value");
  }
}

const typeNames: Record<string, string> = {
  number: "Number",
  function: "Function",
  symbol: "Symbol",
  object: "Object",
  undefined: "Undefined",
};

/** A log field: its JSON form, or the name of its type when it has none. */
export function toLogValue(value: unknown): Plain {
  try {
    return toPlain(value);
  } catch {
    return typeNames[typeof value] ?? typeof value;
  }
}
