// Writing to who may read slowly, or not at all: what they have not read is theirs to hold up, and not for ever.
import { once } from "node:events";
import type { Writable } from "node:stream";

/** Who reads nothing for so long has left. */
const READ_WITHIN_MS = 60_000;

/** Resolves when there is room for more; false when the reader has left, or reads no more, which ends the stream. */
export async function writeToReader(to: Writable, text: string): Promise<boolean> {
  if (to.destroyed) return false;
  if (to.write(text)) return true;
  const left = new AbortController();
  const late = setTimeout(() => left.abort(), READ_WITHIN_MS).unref();
  try {
    await Promise.race([once(to, "drain", { signal: left.signal }), once(to, "close", { signal: left.signal })]);
  } catch {
    to.destroy();
  } finally {
    clearTimeout(late);
    left.abort();
  }
  return !to.destroyed;
}
