// Compiles shapes into functions that read JSON texts (contract 3.5, 3.7): one pass, which checks, converts and
// drops what the schema does not know.
import { parseDateTime } from "./datetime";
import { boundedDecimal } from "./decimal";
import { missingFields } from "./errors";
import type { JsonReader } from "./json-reader";
import {
  colon,
  Float,
  hasKey,
  leaveMap,
  mismatch,
  put,
  readAny,
  readBoxed,
  readList,
  readMap,
  skipValue,
  type Decoder,
} from "./json-syntax";
import { debugFloat, debugString, quotable } from "./rust-text";
import { expecting, type Shape, type Struct } from "./shape";
import { createFitter, NO_FIT } from "./union";

/** Makes the SDK's own Decimal from a decimal text. */
export type NewDecimal = (text: string) => unknown;

/** Reads an object into `target`, or into a new one. */
export type StructDecoder = (r: JsonReader, target?: Record<string, unknown>) => Record<string, unknown>;

const QUOTE = 34;
const OPEN_LIST = 91;
const OPEN_MAP = 123;
const isDigitOrMinus = (code: number): boolean => code === 45 || (code >= 48 && code <= 57);
/** Fields tracked in the bits of one number. */
const BITS = 31;

export class JsonDecoderCompiler {
  private readonly done = new Map<Shape, Decoder>();

  constructor(private readonly newDecimal: NewDecimal) {}

  compile(shape: Shape): Decoder {
    let decoder = this.done.get(shape);
    if (!decoder) this.done.set(shape, (decoder = this.create(shape)));
    return decoder;
  }

  private create(shape: Shape): Decoder {
    const expected = expecting(shape);
    switch (shape.kind) {
      case "any":
        return readAny;
      case "string":
        return (r) => (r.peek() === QUOTE ? r.string() : mismatch(r, expected));
      case "number":
        return (r) => (isDigitOrMinus(r.peek()) ? r.number() : mismatch(r, expected));
      case "bool":
        return readBool;
      case "null":
        return (r) => (r.peek() === 110 ? (r.word("null"), null) : mismatch(r, expected));
      case "time":
        return (r) => (r.peek() === QUOTE ? readTime(r) : mismatch(r, expected));
      case "decimal":
        return (r) => (r.peek() === QUOTE ? this.decimal(r) : mismatch(r, expected));
      case "literal":
        return literal(shape.value, expected);
      case "list":
        return this.list(shape.elem);
      case "map":
        return this.map(shape.value);
      case "struct":
        return this.struct(shape);
      case "union":
        return this.union(shape, expected);
      case "option":
        return this.option(shape.value);
      case "checked":
        return this.checked(shape);
      case "ref":
        return this.ref(shape);
    }
  }

  private decimal(r: JsonReader): unknown {
    const value = boundedDecimal(r.string(), r.work);
    return "problem" in value ? r.fail(`invalid decimal: ${value.problem}`) : this.newDecimal(value.text);
  }

  private list(elem: Shape): Decoder {
    const element = this.compile(elem);
    return (r) => (r.peek() === OPEN_LIST ? readList(r, element) : mismatch(r, "a JSON array"));
  }

  private map(value: Shape): Decoder {
    const entry = this.compile(value);
    return (r) => (r.peek() === OPEN_MAP ? readMap(r, entry) : mismatch(r, "a JSON object"));
  }

  private option(value: Shape): Decoder {
    const inner = this.compile(value);
    return (r) => {
      if (r.peek() !== 110) return inner(r);
      r.word("null");
      return null;
    };
  }

  private checked({ inner, check }: Extract<Shape, { kind: "checked" }>): Decoder {
    const read = this.compile(inner);
    return (r) => {
      const value = read(r);
      const problem = check(value, r.isFloat, r.work);
      return problem === undefined ? value : r.fail(problem);
    };
  }

  private ref(shape: Extract<Shape, { kind: "ref" }>): Decoder {
    let inner: Decoder | undefined;
    return (r) => (inner ??= this.compile(shape.target!))(r);
  }

  private union(shape: Shape, expected: string): Decoder {
    const fit = createFitter(this.newDecimal);
    return (r) => {
      const raw = readBoxed(r);
      const value = fit(shape, raw, r.work);
      return value === NO_FIT ? r.fail(`invalid type: ${describe(raw)}, expected ${expected}`) : value;
    };
  }

  /** Compiles an object's reader: keys in the order of the schema are recognised without being read. */
  struct({ fields }: Struct): StructDecoder {
    const names = fields.map((f) => f.name);
    const quoted = names.map((n) => JSON.stringify(n));
    const decoders = fields.map((f) => this.compile(f.shape));
    const indexes = new Map(names.map((n, i) => [n, i]));
    const required = fields.flatMap((f, i) => (f.optional ? [] : [i]));
    const requiredBits = required.reduce((bits, i) => (i < BITS ? bits | (1 << i) : bits), 0);
    const missing = (has: (i: number) => boolean): string[] => required.filter((i) => !has(i)).map((i) => names[i]!);
    const isLarge = fields.length > BITS;

    return (r, target = {}) => {
      if (r.peek() !== OPEN_MAP) return mismatch(r, "a JSON object");
      r.descend();
      r.pos++;
      let seen = 0;
      const more = isLarge ? new Set<number>() : undefined;
      let guess = 0;
      for (let first = true; hasKey(r, first); first = false) {
        let index: number | undefined = guess;
        const expected = quoted[guess];
        if (expected !== undefined && r.text.startsWith(expected, r.pos)) r.pos += expected.length;
        else index = readKey(r, indexes);
        if (index === undefined) continue;
        const name = names[index]!;
        colon(r);
        r.enter(name);
        const value = decoders[index]!(r);
        r.leave();
        const again = index < BITS ? (seen & (1 << index)) !== 0 : more!.has(index);
        if (again) failDuplicate(r, name);
        if (index < BITS) seen |= 1 << index;
        else more!.add(index);
        put(target, name, value);
        guess = index + 1;
      }
      r.pos++;
      r.ascend();
      const incomplete =
        (seen & requiredBits) !== requiredBits || (isLarge && required.some((i) => i >= BITS && !more!.has(i)));
      if (incomplete) r.fail(missingFields(missing((i) => (i < BITS ? (seen & (1 << i)) !== 0 : more!.has(i)))));
      return target;
    };
  }
}

/** Reads a key; the value of an unknown one is skipped. */
function readKey(r: JsonReader, indexes: ReadonlyMap<string, number>): number | undefined {
  const key = r.string();
  const index = indexes.get(key);
  if (index !== undefined) return index;
  colon(r);
  r.enter(key);
  skipValue(r);
  r.leave();
  return undefined;
}

function failDuplicate(r: JsonReader, name: string): never {
  leaveMap(r);
  r.fail(`duplicate field ${name}`);
}

function readBool(r: JsonReader): boolean {
  const code = r.peek();
  if (code !== 116 && code !== 102) return mismatch(r, "a boolean");
  r.word(code === 116 ? "true" : "false");
  return code === 116;
}

function readTime(r: JsonReader): Date {
  const value = parseDateTime(r.string());
  return typeof value === "string" ? r.fail(`invalid datetime: ${value}`) : value;
}

function literal(want: string | number | boolean, expected: string): Decoder {
  return (r) => {
    const code = r.peek();
    if (code === QUOTE) {
      const got = r.string();
      return got === want ? got : r.fail(`expected ${expected}, got ${quotable(got)}`);
    }
    const start = r.pos;
    if (typeof want === "number" ? isDigitOrMinus(code) : code === 116 || code === 102) {
      const got = typeof want === "number" ? r.number() : readBool(r);
      if (got === want && (typeof want !== "number" || r.isFloat !== Number.isInteger(want))) return got;
      r.pos = start;
    }
    return mismatch(r, expected);
  };
}

function describe(raw: unknown): string {
  if (raw === null) return "Option value";
  if (typeof raw === "string") return `string ${debugString(raw)}`;
  if (typeof raw === "boolean") return `boolean \`${raw}\``;
  if (raw instanceof Float) return `floating point \`${debugFloat(raw.value)}\``;
  if (typeof raw !== "object") return `integer \`${String(raw)}\``;
  return Array.isArray(raw) ? "sequence" : "map";
}
