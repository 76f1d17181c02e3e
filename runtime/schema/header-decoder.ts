// Decoders for header and cookie values (contract 3.6), whose messages differ from those of the query.
import { parseDateTime } from "./datetime";
import { boundedDecimal } from "./decimal";
import type { NewDecimal } from "./json-decoder";
import { JsonReader } from "./json-reader";
import { debugString } from "./rust-text";
import { expecting, type Shape } from "./shape";
import { parseInteger, type TextContext } from "./text-decoder";

/** A header, cookie or path value that does not fit: `message` is public, `internal` is for the developer. */
export class ValueError extends Error {
  override name = "ValueError";

  constructor(
    message: string,
    readonly internal: string | null = null,
  ) {
    super(message);
  }
}

export type ValueDecoder = (text: string, context: TextContext) => unknown;
type Place = "header" | "cookie";

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const fail = (message: string, internal: string | null = null): never => {
  throw new ValueError(message, internal);
};

function number(text: string, context: TextContext): number | bigint {
  if (!JSON_NUMBER.test(text)) return fail(`invalid number value: ${text}`);
  const reader = new JsonReader(text);
  try {
    const value = reader.number();
    context.isFloat = reader.isFloat;
    return value;
  } catch {
    return fail(`invalid number value: ${text}`);
  }
}

function time(text: string): Date {
  const value = parseDateTime(text);
  return typeof value === "string" ? fail("invalid datetime", `invalid datetime string ${debugString(text)}`) : value;
}

export function compileValue(shape: Shape, place: Place, newDecimal: NewDecimal): ValueDecoder {
  const invalid = `invalid ${place} value`;
  const compile = (inner: Shape): ValueDecoder => compileValue(inner, place, newDecimal);
  switch (shape.kind) {
    case "any":
    case "string":
      return (text) => text;
    case "bool":
      return (text) => (text === "true" ? true : text === "false" ? false : fail(`invalid boolean value: ${text}`));
    case "null":
      return (text) =>
        text === "" || text === "null" ? null : fail("invalid value", `expected null, got ${debugString(text)}`);
    case "number":
      return number;
    case "time":
      return time;
    case "decimal":
      return (text, { work }) => {
        const value = boundedDecimal(text, work);
        return "problem" in value ? fail(`invalid decimal value: ${text}`) : newDecimal(value.text);
      };
    case "literal":
      return literal(shape.value, invalid, expecting(shape));
    case "ref":
      return (text, context) => compile(shape.target!)(text, context);
    case "checked":
      return checked(shape, compile(shape.inner), invalid);
    case "union":
      return union(shape.of.map(compile), invalid);
    case "option": {
      const inner = compile(shape.value);
      return (text, context) => (text === "" ? null : inner(text, context));
    }
    default:
      return () => fail("unsupported schema type", `got an unsupported schema type: ${expecting(shape, true)}`);
  }
}

function checked({ check }: Extract<Shape, { kind: "checked" }>, inner: ValueDecoder, invalid: string): ValueDecoder {
  return (text, context) => {
    const value = inner(text, context);
    const problem = check(value, context.isFloat, context.work);
    return problem === undefined ? value : fail(invalid, `${invalid}: ${problem}`);
  };
}

function union(members: readonly ValueDecoder[], invalid: string): ValueDecoder {
  return (text, context) => {
    for (const member of members) {
      try {
        return member(text, context);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
      }
    }
    return fail(invalid, `no union value matched: ${text}`);
  };
}

function literal(want: string | number | boolean, invalid: string, expected: string): ValueDecoder {
  return (text) => {
    const got =
      typeof want === "boolean"
        ? text === String(want) && want
        : typeof want === "number"
          ? Number.isInteger(want)
            ? parseInteger(text)
            : text.trim() === text && text !== ""
              ? Number(text)
              : undefined
          : text;
    if (got === want || (want === false && text === "false")) return want;
    return fail(invalid, `expected ${expected}, got ${text}`);
  };
}
