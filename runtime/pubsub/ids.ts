// Message ids as Encore writes them (P-30): base32 with the alphabet 0-9a-v, so that they sort as text.
import { randomBytes } from "node:crypto";
import { base32 } from "../trace";

const thisProcess = randomBytes(5);
let counter = randomBytes(4).readUInt32BE() & 0xff_ff_ff;

/** 20 characters that ascend with time: seconds, this process, a counter (an xid). */
export function newMessageId(now: number = Date.now()): string {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(Math.floor(now / 1000) >>> 0, 0);
  thisProcess.copy(bytes, 4);
  counter = (counter + 1) & 0xff_ff_ff;
  bytes.writeUIntBE(counter, 9, 3);
  return base32(bytes);
}
