// Objects, lists, ignored and free-form values of a JSON text, with the official reader's errors (contract 3.5).
import type { JsonReader } from "./json-reader";
import { debugFloat, debugString } from "./rust-text";

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const COLON = 58;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_MAP = 123;
const CLOSE_MAP = 125;
const N = 110;
const T = 116;
const F = 102;

const isEnd = (code: number): boolean => code !== code;
const isNumberStart = (code: number): boolean => code === MINUS || (code >= 48 && code <= 57);

/** Sets a key of a decoded object. `__proto__` becomes an ordinary own key instead of replacing the prototype. */
export function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** Whether a key follows; the reader stands on its quote, or on the closing brace. */
export function hasKey(r: JsonReader, first: boolean): boolean {
  let code = r.peek();
  if (code === CLOSE_MAP) return false;
  if (!first) {
    if (code !== COMMA) r.failAhead(isEnd(code) ? "EOF while parsing an object" : "expected `,` or `}`");
    r.pos++;
    code = r.peek();
    if (code === CLOSE_MAP) r.failAhead("trailing comma");
    if (isEnd(code)) r.failAhead("EOF while parsing a value");
  }
  if (code !== QUOTE) r.failAhead(isEnd(code) ? "EOF while parsing an object" : "key must be a string");
  return true;
}

export function colon(r: JsonReader): void {
  const code = r.peek();
  if (code !== COLON) r.failAhead(isEnd(code) ? "EOF while parsing an object" : "expected `:`");
  r.pos++;
}

/** Whether an element follows; otherwise the reader stands on the closing bracket. */
export function hasElement(r: JsonReader, first: boolean): boolean {
  const code = r.peek();
  if (code === CLOSE_LIST) return false;
  if (isEnd(code)) r.failAhead("EOF while parsing a list");
  if (first) return true;
  if (code !== COMMA) r.failAhead("expected `,` or `]`");
  r.pos++;
  const next = r.peek();
  if (next === CLOSE_LIST) r.failAhead("trailing comma");
  if (isEnd(next)) r.failAhead("EOF while parsing a value");
  return true;
}

export type Decoder = (r: JsonReader) => unknown;

export function readList(r: JsonReader, element: Decoder): unknown[] {
  r.descend();
  r.pos++;
  const out: unknown[] = [];
  while (hasElement(r, out.length === 0)) {
    r.enter(out.length);
    out.push(element(r));
    r.leave();
  }
  r.pos++;
  r.ascend();
  return out;
}

export function readMap(r: JsonReader, value: Decoder): Record<string, unknown> {
  r.descend();
  r.pos++;
  const out: Record<string, unknown> = {};
  for (let first = true; hasKey(r, first); first = false) {
    const key = r.string();
    colon(r);
    r.enter(key);
    put(out, key, value(r));
    r.leave();
  }
  r.pos++;
  r.ascend();
  return out;
}

/** A float of a free-form value, kept apart from integers until its type is decided. */
export class Float {
  constructor(readonly value: number) {}
}

function freeForm(box: boolean): Decoder {
  const read: Decoder = (r) => {
    const code = r.peek();
    if (code === QUOTE) return r.string();
    if (isNumberStart(code)) {
      const value = r.number();
      return box && r.isFloat ? new Float(Number(value)) : value;
    }
    if (code === OPEN_MAP) return readMap(r, read);
    if (code === OPEN_LIST) return readList(r, read);
    return word(r, code);
  };
  return read;
}

function word(r: JsonReader, code: number): boolean | null {
  if (code === T) r.word("true");
  else if (code === F) r.word("false");
  else if (code === N) r.word("null");
  else r.failAhead(isEnd(code) ? "EOF while parsing a value" : "expected value");
  return code === N ? null : code === T;
}

/** Reads a value of any kind. */
export const readAny = freeForm(false);
/** Reads a value of any kind whose floats are `Float`s. */
export const readBoxed = freeForm(true);

/** Reads what is ahead and fails: it is not of the expected type. */
export function mismatch(r: JsonReader, expected: string): never {
  const code = r.peek();
  const fail = (found: string): never => r.fail(`invalid type: ${found}, expected ${expected}`);
  if (code === QUOTE) return fail(`string ${debugString(r.string())}`);
  if (isNumberStart(code)) {
    const value = r.number();
    return fail(r.isFloat ? `floating point \`${debugFloat(Number(value))}\`` : `integer \`${value}\``);
  }
  if (code === OPEN_MAP || code === OPEN_LIST) {
    r.descend();
    r.pos++;
    if (code === OPEN_MAP) leaveMap(r);
    else leaveList(r);
    return fail(code === OPEN_MAP ? "map" : "sequence");
  }
  const value = word(r, code);
  return fail(value === null ? "Option value" : `boolean \`${value}\``);
}

/** What the official reader still consumes when an object is given up: its closing brace, if that is next. */
export function leaveMap(r: JsonReader): void {
  if (r.peek() === CLOSE_MAP) r.pos++;
}

function leaveList(r: JsonReader): void {
  const code = r.peek();
  if (code === CLOSE_LIST) r.pos++;
  else if (code === COMMA) {
    r.pos++;
    r.peek();
  }
}

/** Skips the value of an unknown key. Nesting is not limited here, so this must not recurse. */
export function skipValue(r: JsonReader): void {
  const open: number[] = [];
  let expectValue = true;
  do {
    if (expectValue) expectValue = skipOpening(r, open);
    if (!expectValue && open.length > 0) expectValue = skipAfter(r, open);
  } while (open.length > 0 || expectValue);
}

/** Skips a scalar or an opening bracket; whether a value has to follow. */
function skipOpening(r: JsonReader, open: number[]): boolean {
  const code = r.peek();
  if (code === QUOTE) r.skipString();
  else if (isNumberStart(code)) r.number();
  else if (code !== OPEN_LIST && code !== OPEN_MAP) word(r, code);
  else {
    r.pos++;
    if (r.peek() === (code === OPEN_LIST ? CLOSE_LIST : CLOSE_MAP)) {
      r.pos++;
      return false;
    }
    open.push(code);
    if (code === OPEN_MAP) skipKey(r);
    return true;
  }
  return false;
}

/** Skips what stands after a value inside a bracket; whether another value follows. */
function skipAfter(r: JsonReader, open: number[]): boolean {
  while (open.length > 0) {
    const list = open.at(-1) === OPEN_LIST;
    const code = r.peek();
    if (isEnd(code)) r.failAhead(`EOF while parsing ${list ? "a list" : "an object"}`);
    r.pos++;
    if (code === (list ? CLOSE_LIST : CLOSE_MAP)) {
      open.pop();
      continue;
    }
    if (code !== COMMA) {
      r.pos--;
      r.failAhead(list ? "expected `,` or `]`" : "expected `,` or `}`");
    }
    if (!list) skipKey(r);
    return true;
  }
  return false;
}

function skipKey(r: JsonReader): void {
  const code = r.peek();
  if (code !== QUOTE) r.failAhead(isEnd(code) ? "EOF while parsing an object" : "key must be a string");
  r.skipString();
  colon(r);
}
