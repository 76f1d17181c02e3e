// A cursor over one JSON text that reads, reports and recovers exactly as the official runtime's reader does
// (serde_json; contract 3.5): the place of a problem is part of the answer that clients see.
import { isUtf8 } from "node:buffer";
import { DecodeError, formatPath, type Step } from "./errors";
import { UNPACED, type Pace } from "./pace";
import { Work } from "./work";

const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const MAX_DEPTH = 128;
const U64_MAX = 18446744073709551615n;
const I64_MIN = -9223372036854775808n;
/** Integers of up to this many digits are exact without further ado. */
const EXACT_DIGITS = 15;
/** The digits of the largest u64; `-` and those of the smallest i64 are as many. */
const INTEGER_CHARS = 20;
/** An integer with more digits than the largest double has is out of range: nobody has to work it out. */
const DOUBLE_DIGITS = 309;

const ESCAPES: Record<string, string> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

const SIMPLE_ESCAPES = new Uint8Array(128);
for (const [escape, char] of Object.entries(ESCAPES)) SIMPLE_ESCAPES[escape.charCodeAt(0)] = char.charCodeAt(0);

/** Letters between escapes are gathered here: a text of a million pieces takes the engine long to put together. */
const UNITS = new Uint16Array(1024);
/** A run of letters from here on is worth a piece of its own. */
const RUN_MAX = 64;
const unitsText = (length: number): string =>
  length === 0 ? "" : (Reflect.apply(String.fromCharCode, String, UNITS.subarray(0, length)) as string);

/** The value of a hexadecimal digit's code, or -1. */
const HEX = new Int8Array(128).fill(-1);
for (const digit of "0123456789abcdefABCDEF") HEX[digit.charCodeAt(0)] = parseInt(digit, 16);

/** Asked of short texts mostly: a look at each character is cheaper than a Buffer. */
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** The UTF-8 bytes of a code point, one character each. */
function utf8(point: number): string {
  if (point < 0x80) return String.fromCharCode(point);
  const last = 0x80 | (point & 63);
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), last);
  const third = 0x80 | ((point >> 6) & 63);
  if (point < 0x10000) return String.fromCharCode(0xe0 | (point >> 12), third, last);
  return String.fromCharCode(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), third, last);
}

export class JsonReader {
  pos = 0;
  /** Whether the number read last was written as a float, or is one because it is too large for an integer. */
  isFloat = false;
  readonly work = new Work();
  /** When what reads here gives way; by default never. */
  pace: Pace = UNPACED;
  private depth = MAX_DEPTH;
  private readonly steps: Step[] = [];

  /** With `bytes` the text is Latin-1: one character for each byte of a text that is not valid UTF-8. */
  constructor(
    readonly text: string,
    private readonly bytes = false,
  ) {}

  /** Reads bytes; invalid UTF-8 is found where a string holds it. */
  static of(body: Buffer): JsonReader {
    const text = body.toString("utf8");
    return text.includes("\ufffd") && !isUtf8(body)
      ? new JsonReader(body.toString("latin1"), true)
      : new JsonReader(text);
  }

  // ------------------------------------------------------------ place and path

  enter(step: Step): void {
    this.steps.push(step);
  }

  leave(): void {
    this.steps.pop();
  }

  /** Takes one level of nesting. */
  descend(): void {
    if (--this.depth === 0) this.failAhead("recursion limit exceeded");
  }

  ascend(): void {
    this.depth++;
  }

  /** Fails at the place reached: everything before `pos` has been read. */
  fail(problem: string): never {
    throw this.error(problem, this.pos, false);
  }

  /** Fails at the character ahead. */
  failAhead(problem: string): never {
    throw this.error(problem, this.pos, this.pos < this.text.length);
  }

  private error(problem: string, end: number, ahead: boolean): DecodeError {
    const newline = ahead && this.text[end] === "\n";
    const until = newline ? end + 1 : end;
    const lineStart = this.text.lastIndexOf("\n", until - 1) + 1;
    let line = 1;
    for (let i = 0; i < lineStart; i++) if (this.text.charCodeAt(i) === NEWLINE) line++;
    const before = this.text.slice(lineStart, until);
    const column = (this.bytes ? before.length : Buffer.byteLength(before)) + (ahead && !newline ? 1 : 0);
    const path = formatPath(this.steps);
    return new DecodeError(`${path && `${path}: `}${problem} at line ${line} column ${column}`);
  }

  // ------------------------------------------------------------ tokens

  /** Skips white space; the code of the character ahead, NaN at the end. */
  peek(): number {
    let code = this.text.charCodeAt(this.pos);
    if (code > 32) return code;
    while (code === 32 || code === 10 || code === 13 || code === 9) code = this.text.charCodeAt(++this.pos);
    return code;
  }

  word(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const index = this.pos + i;
      if (index >= this.text.length) {
        this.pos = index;
        this.fail("EOF while parsing a value");
      }
      if (this.text[index] !== word[i]) {
        this.pos = index + 1;
        this.fail("expected ident");
      }
    }
    this.pos += word.length;
  }

  /** Reads the string whose opening quote is ahead. */
  string(): string {
    const { text } = this;
    const start = ++this.pos;
    for (let i = start; ; i++) {
      const code = text.charCodeAt(i);
      // Most letters are beyond everything that ends or interrupts a string.
      if (code > BACKSLASH) continue;
      if (code === QUOTE) {
        this.pos = i + 1;
        return this.plain(text.slice(start, i));
      }
      if (code === BACKSLASH || code < 32 || code !== code) return this.escaped(start, i);
    }
  }

  private plain(raw: string): string {
    if (!this.bytes || isAscii(raw)) return raw;
    const buffer = Buffer.from(raw, "latin1");
    if (!isUtf8(buffer)) this.fail("invalid unicode code point");
    return buffer.toString("utf8");
  }

  private escaped(start: number, from: number): string {
    const { text } = this;
    let out = text.slice(start, from);
    this.pos = from;
    let length = 0;
    for (;;) {
      const code = text.charCodeAt(this.pos);
      if (length > UNITS.length - RUN_MAX) {
        out += unitsText(length);
        length = 0;
      }
      if (code === BACKSLASH) {
        const simple = SIMPLE_ESCAPES[text.charCodeAt(this.pos + 1)];
        if (simple) {
          UNITS[length++] = simple;
          this.pos += 2;
          continue;
        }
        const units = this.escape(true);
        for (let i = 0; i < units.length; i++) UNITS[length++] = units.charCodeAt(i);
      } else if (code === QUOTE) {
        this.pos++;
        return this.plain(out + unitsText(length));
      } else if (code < 32) {
        this.failAhead("control character (\\u0000-\\u001F) found while parsing a string");
      } else if (code !== code) this.fail("EOF while parsing a string");
      else {
        const end = this.runEnd();
        if (end - this.pos < RUN_MAX) for (let i = this.pos; i < end; i++) UNITS[length++] = text.charCodeAt(i);
        else {
          out += unitsText(length) + text.slice(this.pos, end);
          length = 0;
        }
        this.pos = end;
      }
    }
  }

  private runEnd(): number {
    let i = this.pos + 1;
    for (;;) {
      const code = this.text.charCodeAt(i);
      if (code === QUOTE || code === BACKSLASH || code < 32 || code !== code) return i;
      i++;
    }
  }

  /** Reads the escape ahead. Ignored strings may hold lone surrogates, others may not. */
  private escape(strict: boolean): string {
    const char = this.text[this.pos + 1];
    this.pos = Math.min(this.pos + 2, this.text.length);
    if (char === undefined) this.fail("EOF while parsing a string");
    if (char !== "u") return ESCAPES[char] ?? this.fail("invalid escape");
    const lead = this.hex();
    if (!strict) return "";
    if (lead >= 0xdc00 && lead <= 0xdfff) this.fail("lone leading surrogate in hex escape");
    if (lead < 0xd800 || lead > 0xdbff) return this.bytes ? utf8(lead) : String.fromCharCode(lead);
    const trail = this.trail();
    const point = 0x10000 + ((lead - 0xd800) << 10) + trail - 0xdc00;
    return this.bytes ? utf8(point) : String.fromCharCode(lead, trail);
  }

  /** The escape of the second half of a surrogate pair. */
  private trail(): number {
    for (const want of ["\\", "u"]) {
      const got = this.text[this.pos];
      if (got === undefined) this.fail("EOF while parsing a string");
      this.pos++;
      if (got !== want) this.fail("unexpected end of hex escape");
    }
    const trail = this.hex();
    if (trail < 0xdc00 || trail > 0xdfff) this.fail("lone leading surrogate in hex escape");
    return trail;
  }

  private hex(): number {
    const { text, pos } = this;
    if (pos + 4 > text.length) {
      this.pos = text.length;
      this.fail("EOF while parsing a string");
    }
    this.pos = pos + 4;
    let value = 0;
    for (let i = pos; i < pos + 4; i++) value = (value << 4) | (HEX[text.charCodeAt(i)] ?? -1);
    return value < 0 ? this.fail("invalid escape") : value;
  }

  /** Reads the number ahead: a bigint when it is an integer beyond 2^53. */
  number(): number | bigint {
    const { text } = this;
    const start = this.pos;
    const negative = text.charCodeAt(start) === MINUS;
    const first = negative ? start + 1 : start;
    let i = first;
    let value = 0;
    let code = text.charCodeAt(i);
    while (code >= ZERO && code <= NINE) {
      value = value * 10 + code - ZERO;
      code = text.charCodeAt(++i);
    }
    this.isFloat = false;
    if (i === first) this.failNoDigit(first);
    if (i - first > 1 && text.charCodeAt(first) === ZERO) {
      this.pos = first + 1;
      this.failAhead("invalid number");
    }
    if (code === 46 || code === 101 || code === 69) return this.float(start, i);
    this.pos = i;
    if (i - first <= EXACT_DIGITS) return negative ? this.negative(value) : value;
    return this.large(text.slice(start, i));
  }

  private negative(value: number): number {
    this.isFloat = value === 0;
    return -value;
  }

  private failNoDigit(at: number): never {
    const ended = at >= this.text.length;
    this.pos = ended ? at : at + 1;
    this.fail(ended ? "EOF while parsing a value" : "invalid number");
  }

  private large(digits: string): number | bigint {
    // Both conversions below take longer than the text is long: a body full of digits must not reach them.
    if (digits.length > DOUBLE_DIGITS + 1) return this.finite(Infinity);
    if (digits.length > INTEGER_CHARS) return this.finite(Number(digits));
    const exact = BigInt(digits);
    if (exact >= I64_MIN && exact <= U64_MAX) {
      const value = Number(exact);
      return Number.isSafeInteger(value) ? value : exact;
    }
    return this.finite(Number(digits));
  }

  private float(start: number, point: number): number {
    const { text } = this;
    let i = point;
    const digits = (): number => {
      const from = i;
      while (text.charCodeAt(i) >= ZERO && text.charCodeAt(i) <= NINE) i++;
      return i - from;
    };
    if (text[i] === ".") {
      i++;
      if (digits() === 0) {
        this.pos = i;
        this.failAhead(i < text.length ? "invalid number" : "EOF while parsing a value");
      }
    }
    if (text[i] === "e" || text[i] === "E") {
      i++;
      if (text[i] === "+" || text[i] === "-") i++;
      if (digits() === 0) this.failNoDigit(i);
    }
    this.pos = i;
    return this.finite(Number(text.slice(start, i)));
  }

  private finite(value: number): number {
    if (!Number.isFinite(value)) this.fail("number out of range");
    this.isFloat = true;
    return value;
  }

  /** Skips an ignored string: its text is not looked at, only its form. */
  skipString(): void {
    this.pos++;
    for (;;) {
      const code = this.text.charCodeAt(this.pos);
      if (code === QUOTE) {
        this.pos++;
        return;
      }
      if (code === BACKSLASH) this.escape(false);
      else if (code < 32) this.failAhead("control character (\\u0000-\\u001F) found while parsing a string");
      else if (code !== code) this.fail("EOF while parsing a string");
      else this.pos = this.runEnd();
    }
  }
}

export const readerOf = (text: Buffer | string): JsonReader =>
  typeof text === "string" ? new JsonReader(text) : JsonReader.of(text);
