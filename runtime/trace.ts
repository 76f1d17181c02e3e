// Trace and span ids (contract T-10): 16 and 8 random bytes, shown in base32 (0-9a-v) and, in `traceparent`, in hex.
import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuv";
const PAIRS = Array.from({ length: 1024 }, (_, i) => ALPHABET[i >> 5]! + ALPHABET[i & 31]!);
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
const POOL_BYTES = 8192;

/** Random bytes and the same as hex, made many at once; an id is a place in them. */
interface Pool {
  bytes: Buffer;
  hex: string;
}

const poolOf = (bytes: Buffer): Pool => ({ bytes, hex: bytes.toString("hex") });

let pool = poolOf(Buffer.alloc(0));
let used = 0;

/** The place of so many unused bytes in the current pool. */
function take(bytes: number): number {
  if (used + bytes > pool.bytes.length) {
    pool = poolOf(randomFillSync(Buffer.allocUnsafeSlow(POOL_BYTES)));
    used = 0;
  }
  used += bytes;
  return used - bytes;
}

/** Base32 of 16 (26 characters) or 8 bytes (13 characters), most significant bit first. */
export function base32(bytes: Buffer, start = 0, end = bytes.length): string {
  let out = "";
  let value = 0;
  let bits = 0;
  for (let i = start; i < end; i++) {
    value = ((value << 8) | bytes[i]!) & 0x3ffff;
    bits += 8;
    if (bits >= 10) {
      bits -= 10;
      out += PAIRS[(value >> bits) & 1023]!;
    }
  }
  if (bits > 5) {
    bits -= 5;
    out += ALPHABET[(value >> bits) & 31]!;
  }
  return bits > 0 ? out + ALPHABET[(value << (5 - bits)) & 31]! : out;
}

/** Bytes of a base32 text. */
function fromBase32(text: string, bytes: number): Buffer {
  let value = 0n;
  for (const char of text) value = (value << 5n) | BigInt(Math.max(0, ALPHABET.indexOf(char)));
  const spare = BigInt(text.length * 5 - bytes * 8);
  const hex = (spare > 0n ? value >> spare : value).toString(16).padStart(bytes * 2, "0");
  return Buffer.from(hex.slice(-bytes * 2), "hex");
}

/** The ids of one request; texts are made when they are asked for. */
export class Trace {
  private text: string | undefined;
  private spanText: string | undefined;
  private readonly pool: Pool;
  private readonly at: number;
  private spanPool: Pool | undefined;
  private spanAt = 0;

  /** A new trace, a span of the parent's, or one known by its bytes. */
  constructor(
    readonly parent?: Trace,
    bytes?: Buffer,
  ) {
    this.at = parent ? parent.at : bytes ? 0 : take(TRACE_BYTES);
    this.pool = parent ? parent.pool : bytes ? poolOf(bytes) : pool;
  }

  /** A span known by its texts, as a parent for others. */
  static known(traceId: string, spanId: string): Trace {
    const trace = new Trace(undefined, fromBase32(traceId, TRACE_BYTES));
    trace.text = traceId;
    trace.spanText = spanId;
    trace.spanPool = poolOf(fromBase32(spanId, SPAN_BYTES));
    return trace;
  }

  get traceId(): string {
    return (this.text ??= this.parent ? this.parent.traceId : base32(this.pool.bytes, this.at, this.at + TRACE_BYTES));
  }

  get spanId(): string {
    if (this.spanText !== undefined) return this.spanText;
    const { bytes } = this.span();
    return (this.spanText = base32(bytes, this.spanAt, this.spanAt + SPAN_BYTES));
  }

  private span(): Pool {
    if (this.spanPool === undefined) {
      this.spanAt = take(SPAN_BYTES);
      this.spanPool = pool;
    }
    return this.spanPool;
  }

  private get spanHex(): string {
    const { hex } = this.span();
    return hex.slice(2 * this.spanAt, 2 * (this.spanAt + SPAN_BYTES));
  }

  /** The W3C header of this span. */
  get traceparent(): string {
    return `00-${this.pool.hex.slice(2 * this.at, 2 * (this.at + TRACE_BYTES))}-${this.spanHex}-01`;
  }

  get tracestate(): string {
    return `encore/span-id=${this.spanHex},encore/sampled=1`;
  }
}
