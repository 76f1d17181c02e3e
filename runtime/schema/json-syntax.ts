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

/** The open brackets of an ignored value, a byte each: their number is not limited. */
class Brackets {
  depth = 0;
  private codes = new Uint8Array(64);

  push(code: number): void {
    if (this.depth === this.codes.length) {
      const longer = new Uint8Array(this.depth * 4);
      longer.set(this.codes);
      this.codes = longer;
    }
    this.codes[this.depth++] = code;
  }

  get last(): number | undefined {
    return this.codes[this.depth - 1];
  }
}

/** Skips the value of an unknown key. Nesting is not limited here, so this must not recurse. */
export function skipValue(r: JsonReader): void {
  let code = r.peek();
  if (code !== OPEN_LIST && code !== OPEN_MAP) return skipScalar(r, code);
  const open = new Brackets();
  for (;;) {
    // The first value inside a bracket, and those inside that one, are looked at once.
    while (code === OPEN_LIST || code === OPEN_MAP) {
      r.pos++;
      const next = r.peek();
      open.push(code);
      if (next === (code === OPEN_LIST ? CLOSE_LIST : CLOSE_MAP)) break;
      code = code === OPEN_LIST ? next : skipKey(r);
    }
    if (code !== OPEN_LIST && code !== OPEN_MAP) skipScalar(r, code);
    if (open.last === OPEN_LIST) skipNumbers(r);
    if (!skipAfter(r, open)) return;
    code = r.peek();
  }
}

function skipScalar(r: JsonReader, code: number): void {
  if (code === QUOTE) r.skipString();
  else if (isNumberStart(code)) r.number();
  else word(r, code);
}

/** Skips the numbers of a list that follow without a blank, as long lists are written: most of a large body may be that. */
function skipNumbers(r: JsonReader): void {
  while (r.text.charCodeAt(r.pos) === COMMA && isNumberStart(r.text.charCodeAt(r.pos + 1))) {
    r.pos++;
    r.number();
  }
}

/** Skips what stands after a value inside a bracket; whether another value follows. */
function skipAfter(r: JsonReader, open: Brackets): boolean {
  while (open.depth > 0) {
    const list = open.last === OPEN_LIST;
    const code = r.peek();
    if (isEnd(code)) r.failAhead(`EOF while parsing ${list ? "a list" : "an object"}`);
    if (code === (list ? CLOSE_LIST : CLOSE_MAP)) {
      r.pos++;
      open.depth--;
      continue;
    }
    if (code !== COMMA) r.failAhead(list ? "expected `,` or `]`" : "expected `,` or `}`");
    r.pos++;
    if (!list) skipKey(r);
    return true;
  }
  return false;
}

/** Skips a key; the character that the value begins with. */
function skipKey(r: JsonReader): number {
  const code = r.peek();
  if (code !== QUOTE) r.failAhead(isEnd(code) ? "EOF while parsing an object" : "key must be a string");
  r.skipString();
  colon(r);
  return r.peek();
}
