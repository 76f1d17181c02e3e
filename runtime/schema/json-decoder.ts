// Compiles shapes into functions that read JSON texts (contract 3.5, 3.7): one pass, which checks, converts and
// drops what the schema does not know.
import { parseDateTime } from "./datetime";
import { boundedDecimal } from "./decimal";
import type { JsonReader } from "./json-reader";
import {
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
import { PAUSED, type Paused } from "./pace";
import { debugFloat, debugString, quotable } from "./rust-text";
import { expecting, type Shape, type Struct } from "./shape";
import { IGNORED, NO_KEY, StructFields, type StructProgress } from "./struct-fields";
import { createFit, NO_FIT, type Fit } from "./union";

/** Makes the SDK's own Decimal from a decimal text. */
export type NewDecimal = (text: string) => unknown;

type Fields = Record<string, unknown>;
/** Reads an object into `target`, or into a new one. Returns PAUSED where the reader's pace says so: then it is called again. */
export type StructDecoder = (r: JsonReader, target?: Fields) => Fields | Paused;

const QUOTE = 34;
const OPEN_LIST = 91;
const OPEN_MAP = 123;
const isDigitOrMinus = (code: number): boolean => code === 45 || (code >= 48 && code <= 57);

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
    return (r) => (r.pace.isResuming || r.peek() === OPEN_LIST ? readList(r, element) : mismatch(r, "a JSON array"));
  }

  private map(value: Shape): Decoder {
    const entry = this.compile(value);
    return (r) => (r.pace.isResuming || r.peek() === OPEN_MAP ? readMap(r, entry) : mismatch(r, "a JSON object"));
  }

  private option(value: Shape): Decoder {
    const inner = this.compile(value);
    return (r) => {
      if (r.pace.isResuming || r.peek() !== 110) return inner(r);
      r.word("null");
      return null;
    };
  }

  private checked({ inner, check }: Extract<Shape, { kind: "checked" }>): Decoder {
    const read = this.compile(inner);
    return (r) => {
      const value = read(r);
      if (value === PAUSED) return PAUSED;
      const problem = check(value, r.isFloat, r.work);
      return problem === undefined ? value : r.fail(problem);
    };
  }

  private ref(shape: Extract<Shape, { kind: "ref" }>): Decoder {
    let inner: Decoder | undefined;
    return (r) => (inner ??= this.compile(shape.target!))(r);
  }

  private union(shape: Shape, expected: string): Decoder {
    return (r) => {
      const frame = r.pace.isResuming ? r.pace.resume<UnionFrame>() : undefined;
      const raw = frame?.fit ? frame.raw : readBoxed(r);
      if (raw === PAUSED) return r.pace.pause({ raw, fit: undefined } satisfies UnionFrame);
      const fit = frame?.fit ?? createFit(this.newDecimal, r);
      const value = fit(shape, raw);
      if (value === PAUSED) return r.pace.pause({ raw, fit } satisfies UnionFrame);
      return value === NO_FIT ? r.fail(`invalid type: ${describe(raw)}, expected ${expected}`) : value;
    };
  }

  /** Compiles an object's reader. */
  struct({ fields }: Struct): StructDecoder {
    const known = new StructFields(fields);
    const decoders = fields.map((f) => this.compile(f.shape));
    return (r, target) => {
      const { pace } = r;
      const progress = pace.isResuming ? pace.resume<StructProgress>() : known.begin(openMap(r, target));
      for (;;) {
        if (progress.index === NO_KEY) {
          if (!hasKey(r, progress.isFirst)) break;
          progress.isFirst = false;
          progress.index = known.readKey(r, progress.guess);
        }
        const { index } = progress;
        const value = index === IGNORED ? skipValue(r) : decoders[index]!(r);
        if (value === PAUSED) return pace.pause(progress);
        r.leave();
        progress.index = NO_KEY;
        if (index !== IGNORED) {
          const name = known.names[index]!;
          if (!known.note(progress, index)) failDuplicate(r, name);
          put(progress.target, name, value);
          progress.guess = index + 1;
        }
        if (pace.isDue()) return pace.pause(progress);
      }
      r.pos++;
      r.ascend();
      known.checkComplete(r, progress);
      return progress.target;
    };
  }
}

function openMap(r: JsonReader, target: Fields = {}): Fields {
  if (r.peek() !== OPEN_MAP) return mismatch(r, "a JSON object");
  r.descend();
  r.pos++;
  return target;
}

/** A union's value is read, then fitted: what the one or the other left. */
interface UnionFrame {
  raw: unknown;
  fit: Fit | undefined;
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
