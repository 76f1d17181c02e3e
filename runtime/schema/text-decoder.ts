// Decoders for values that arrive as text: query parameters (contract 3.4). Text is coerced to what the schema says.
import { parseDateTime } from "./datetime";
import { boundedDecimal } from "./decimal";
import { DecodeError } from "./errors";
import type { NewDecimal } from "./json-decoder";
import { debugString } from "./rust-text";
import { expecting, type Shape } from "./shape";
import { Work } from "./work";

/** What decoders of one request's texts tell each other. */
export interface TextContext {
  /** About the number read last. */
  isFloat: boolean;
  readonly work: Work;
}

export const createTextContext = (): TextContext => ({ isFloat: false, work: new Work() });

/** Throws a DecodeError whose message is the problem alone. */
export type TextDecoder = (text: string, context: TextContext) => unknown;

const INTEGER = /^[+-]?\d+$/;
const FLOAT = /^[+-]?(?:inf|infinity|nan|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)$/i;
const I64_MAX = 9223372036854775807n;
const I64_MIN = -9223372036854775808n;

const fail = (problem: string): never => {
  throw new DecodeError(problem);
};

/** An integer of 64 bits: a bigint beyond 2^53; undefined when the text is none. */
export function parseInteger(text: string): number | bigint | undefined {
  if (!INTEGER.test(text)) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  const exact = BigInt(text.replace("+", ""));
  return exact >= I64_MIN && exact <= I64_MAX ? exact : undefined;
}

/** A number in Rust's notation; null when it is not finite (contract, Appendix B), undefined when the text is none. */
function parseNumber(text: string, context: TextContext): number | bigint | null | undefined {
  const integer = parseInteger(text);
  context.isFloat = integer === undefined;
  if (integer !== undefined || !FLOAT.test(text)) return integer;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

export function compileText(shape: Shape, newDecimal: NewDecimal): TextDecoder {
  const compile = (inner: Shape): TextDecoder => compileText(inner, newDecimal);
  switch (shape.kind) {
    case "any":
    case "string":
      return (text) => text;
    case "bool":
      return (text) => (text === "true" ? true : text === "false" ? false : fail(`expected a boolean, got ${text}`));
    case "null":
      return (text) => (text === "null" ? null : fail(`expected null, got ${text}`));
    case "number":
      return (text, context) => {
        const value = parseNumber(text, context);
        return value === undefined ? fail(`expected a number, got ${text}`) : value;
      };
    case "time":
      return (text) => {
        const value = parseDateTime(text);
        return typeof value === "string" ? fail(`invalid datetime: ${value}`) : value;
      };
    case "decimal":
      return (text, { work }) => {
        const value = boundedDecimal(text, work);
        return "problem" in value ? fail(`invalid decimal: ${value.problem}`) : newDecimal(value.text);
      };
    case "literal":
      return literal(shape.value, expecting(shape));
    case "option":
      return compile(shape.value);
    case "list":
      return single(compile(shape.elem));
    case "checked":
      return checked(shape, compile(shape.inner));
    case "union":
      return union(shape.of.map(compile), expecting(shape));
    case "ref":
      return (text, context) => compile(shape.target!)(text, context);
    default:
      return (text) => fail(`invalid type: string ${debugString(text)}, expected ${expecting(shape)}`);
  }
}

/** Lists travel as repeated parameters: each gives a list of one, which the caller joins. */
function single(element: TextDecoder): TextDecoder {
  return (text, context) => [element(text, context)];
}

function checked({ check }: Extract<Shape, { kind: "checked" }>, inner: TextDecoder): TextDecoder {
  return (text, context) => {
    const value = inner(text, context);
    const problem = check(value, context.isFloat, context.work);
    return problem === undefined ? value : fail(problem);
  };
}

function union(members: readonly TextDecoder[], expected: string): TextDecoder {
  return (text, context) => {
    for (const member of members) {
      try {
        return member(text, context);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
    return fail(`invalid type: string ${debugString(text)}, expected ${expected}`);
  };
}

function literal(want: string | number | boolean, expected: string): TextDecoder {
  const wrongType = (found: string): never => fail(`invalid type: ${found}, expected ${expected}`);
  return (text) => {
    if (text === want) return text;
    if (typeof want === "boolean" && (text === "true" || text === "false")) {
      return (text === "true") === want ? want : wrongType(`boolean \`${text}\``);
    }
    if (typeof want === "number") {
      const got = Number.isInteger(want) ? parseInteger(text) : FLOAT.test(text) ? Number(text) : undefined;
      if (got === want) return want;
      if (got !== undefined) return wrongType(`${Number.isInteger(want) ? "integer" : "floating point"} \`${got}\``);
    }
    return fail(`expected ${expected}, got ${text}`);
  };
}
