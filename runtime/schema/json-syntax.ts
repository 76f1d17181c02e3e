// Objects, lists, ignored and free-form values of a JSON text, with the official reader's errors (contract 3.5).
import type { JsonReader } from "./json-reader";
import { PAUSED, type Paused } from "./pace";
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

/** Returns PAUSED where the reader's pace says so: then it is called again. */
export type Decoder = (r: JsonReader) => unknown;

interface ListFrame {
  out: unknown[];
  /** Whether it was an element that paused. */
  isInside: boolean;
}

export function readList(r: JsonReader, element: Decoder): unknown[] | Paused {
  const { pace } = r;
  let out: unknown[];
  let isInside = false;
  if (pace.isResuming) ({ out, isInside } = pace.resume<ListFrame>());
  else {
    r.descend();
    r.pos++;
    out = [];
  }
  for (;;) {
    if (isInside) isInside = false;
    else {
      if (!hasElement(r, out.length === 0)) break;
      r.enter(out.length);
    }
    const value = element(r);
    if (value === PAUSED) return pace.pause({ out, isInside: true } satisfies ListFrame);
    out.push(value);
    r.leave();
    if (pace.isDue()) return pace.pause({ out, isInside } satisfies ListFrame);
  }
  r.pos++;
  r.ascend();
  return out;
}

interface MapFrame {
  out: Record<string, unknown>;
  /** The key whose value paused. */
  key: string | undefined;
  isFirst: boolean;
}

export function readMap(r: JsonReader, read: Decoder): Record<string, unknown> | Paused {
  const { pace } = r;
  let out: Record<string, unknown>;
  let key: string | undefined;
  let isFirst = true;
  if (pace.isResuming) ({ out, key, isFirst } = pace.resume<MapFrame>());
  else {
    r.descend();
    r.pos++;
    out = {};
  }
  for (;;) {
    if (key === undefined) {
      if (!hasKey(r, isFirst)) break;
      isFirst = false;
      key = r.string();
      colon(r);
      r.enter(key);
    }
    const value = read(r);
    if (value === PAUSED) return pace.pause({ out, key, isFirst } satisfies MapFrame);
    put(out, key, value);
    r.leave();
    key = undefined;
    if (pace.isDue()) return pace.pause({ out, key, isFirst } satisfies MapFrame);
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
    if (r.pace.isResuming) return within(r, r.pace.resume<Decoder>());
    const code = r.peek();
    if (code === QUOTE) return r.string();
    if (isNumberStart(code)) {
      const value = r.number();
      return box && r.isFloat ? new Float(Number(value)) : value;
    }
    if (code === OPEN_MAP) return within(r, readEntries);
    return code === OPEN_LIST ? within(r, readElements) : word(r, code);
  };
  const within = (r: JsonReader, container: Decoder): unknown => {
    const value = container(r);
    return value === PAUSED ? r.pace.pause(container) : value;
  };
  const readEntries: Decoder = (r) => readMap(r, read);
  const readElements: Decoder = (r) => readList(r, read);
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

interface SkipFrame {
  open: Brackets;
  /** Whether the value ahead has been skipped. */
  isBehind: boolean;
}

/** Skips the value of an unknown key. Nesting is not limited here, so this must not recurse. */
export function skipValue(r: JsonReader): undefined | Paused {
  const { pace } = r;
  let open: Brackets;
  let isBehind = false;
  if (pace.isResuming) ({ open, isBehind } = pace.resume<SkipFrame>());
  else {
    const code = r.peek();
    if (code !== OPEN_LIST && code !== OPEN_MAP) return void skipScalar(r, code);
    open = new Brackets();
  }
  for (;;) {
    if (!isBehind) isBehind = skipAhead(r, open);
    if (isBehind) {
      if (open.last === OPEN_LIST) skipNumbers(r);
      const next = skipAfter(r, open);
      if (next === "end") return undefined;
      isBehind = next === "closed";
    }
    if (pace.isDue()) return pace.pause({ open, isBehind } satisfies SkipFrame);
  }
}

/** Skips the scalar or the bracket ahead; whether that is a whole value, and not a bracket that has something in it. */
function skipAhead(r: JsonReader, open: Brackets): boolean {
  const code = r.peek();
  if (code !== OPEN_LIST && code !== OPEN_MAP) {
    skipScalar(r, code);
    return true;
  }
  r.pos++;
  open.push(code);
  if (r.peek() === (code === OPEN_LIST ? CLOSE_LIST : CLOSE_MAP)) return true;
  if (code === OPEN_MAP) skipKey(r);
  return false;
}

function skipScalar(r: JsonReader, code: number): void {
  if (code === QUOTE) r.skipString();
  else if (isNumberStart(code)) r.number();
  else word(r, code);
}

/** Numbers that are skipped without a look at the pace. */
const NUMBERS_AT_ONCE = 64;

/** Skips the numbers of a list that follow without a blank, as long lists are written: most of a large body may be that. */
function skipNumbers(r: JsonReader): void {
  for (let i = 0; i < NUMBERS_AT_ONCE; i++) {
    if (r.text.charCodeAt(r.pos) !== COMMA || !isNumberStart(r.text.charCodeAt(r.pos + 1))) return;
    r.pos++;
    r.number();
  }
}

/** Skips what stands after a value inside a bracket: a comma, before the next `value`, or the closing bracket. */
function skipAfter(r: JsonReader, open: Brackets): "value" | "closed" | "end" {
  if (open.depth === 0) return "end";
  const list = open.last === OPEN_LIST;
  const code = r.peek();
  if (isEnd(code)) r.failAhead(`EOF while parsing ${list ? "a list" : "an object"}`);
  if (code === (list ? CLOSE_LIST : CLOSE_MAP)) {
    r.pos++;
    open.depth--;
    return open.depth === 0 ? "end" : "closed";
  }
  if (code !== COMMA) r.failAhead(list ? "expected `,` or `]`" : "expected `,` or `}`");
  r.pos++;
  if (!list) skipKey(r);
  return "value";
}

function skipKey(r: JsonReader): void {
  const code = r.peek();
  if (code !== QUOTE) r.failAhead(isEnd(code) ? "EOF while parsing an object" : "key must be a string");
  r.skipString();
  colon(r);
}
