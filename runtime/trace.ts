// Trace and span ids (contract T-10): 16 and 8 random bytes, shown in base32 (0-9a-v) and, in `traceparent`, in hex.
import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuv";
const PAIRS = Array.from({ length: 1024 }, (_, i) => ALPHABET[i >> 5]! + ALPHABET[i & 31]!);
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
const POOL_BYTES = 8192;

let pool = Buffer.alloc(0);
let used = 0;

function take(bytes: number): Buffer {
  if (used + bytes > pool.length) {
    pool = randomFillSync(Buffer.allocUnsafeSlow(POOL_BYTES));
    used = 0;
  }
  const part = pool.subarray(used, used + bytes);
  used += bytes;
  return part;
}

/** Base32 of 16 (26 characters) or 8 bytes (13 characters), most significant bit first. */
export function base32(bytes: Buffer): string {
  let out = "";
  let value = 0;
  let bits = 0;
  for (let i = 0; i < bytes.length; i++) {
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
  private span: Buffer | undefined;
  private spanText: string | undefined;

  private readonly bytes: Buffer;

  /** A new trace, or a span of the parent's. */
  constructor(readonly parent?: Trace) {
    this.bytes = parent ? parent.bytes : take(TRACE_BYTES);
  }

  /** A span known by its texts, as a parent for others. */
  static known(traceId: string, spanId: string): Trace {
    const trace = new Trace();
    trace.text = traceId;
    trace.spanText = spanId;
    trace.span = fromBase32(spanId, SPAN_BYTES);
    fromBase32(traceId, TRACE_BYTES).copy(trace.bytes);
    return trace;
  }

  get traceId(): string {
    return (this.text ??= this.parent ? this.parent.traceId : base32(this.bytes));
  }

  get spanId(): string {
    return (this.spanText ??= base32(this.spanBytes));
  }

  private get spanBytes(): Buffer {
    return (this.span ??= take(SPAN_BYTES));
  }

  /** The W3C header of this span. */
  get traceparent(): string {
    return `00-${this.bytes.toString("hex")}-${this.spanBytes.toString("hex")}-01`;
  }

  get tracestate(): string {
    return `encore/span-id=${this.spanBytes.toString("hex")},encore/sampled=1`;
  }
}
