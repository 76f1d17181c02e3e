// Identifiers as Encore writes them (T-10, P-30): base32 with the alphabet 0-9a-v, so that they sort as text.
import { randomBytes } from "node:crypto";

const alphabet = "0123456789abcdefghijklmnopqrstuv";

function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text;
}

const process64 = randomBytes(5);
let counter = randomBytes(4).readUInt32BE() & 0xff_ff_ff;

/** 20 characters that ascend with time: seconds, this process, a counter (an xid). */
export function newMessageId(now: number = Date.now()): string {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(Math.floor(now / 1000) >>> 0, 0);
  process64.copy(bytes, 4);
  counter = (counter + 1) & 0xff_ff_ff;
  bytes.writeUIntBE(counter, 9, 3);
  return base32(bytes);
}

/** 16 random bytes: 26 characters. */
export const newTraceId = (): string => base32(randomBytes(16));

/** 8 random bytes: 13 characters. */
export const newSpanId = (): string => base32(randomBytes(8));
