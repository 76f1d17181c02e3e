// Writing to who may read slowly, or not at all: what they have not read is theirs to hold up, and not for ever.
import { once } from "node:events";
import type { Writable } from "node:stream";

/** Who reads nothing for so long has left. */
const READ_WITHIN_MS = 60_000;

/** Resolves when there is room for more; false when the reader has left, or reads no more, which ends the stream. */
export async function writeToReader(
  to: Writable,
  piece: string | Uint8Array,
  withinMs = READ_WITHIN_MS,
): Promise<boolean> {
  if (to.destroyed) return false;
  if (!to.write(piece)) await happens(to, "drain", withinMs);
  return !to.destroyed;
}

/** Ends the stream; resolves when it holds nothing more of what was written. */
export async function endToReader(to: Writable, withinMs = READ_WITHIN_MS): Promise<void> {
  if (to.destroyed) return;
  to.end();
  if (!to.writableFinished) await happens(to, "finish", withinMs);
}

/** Resolves when it has happened, or the stream is destroyed; destroys it when neither happens in time. */
async function happens(to: Writable, event: "drain" | "finish", withinMs: number): Promise<void> {
  const over = new AbortController();
  const late = setTimeout(() => over.abort(), withinMs).unref();
  const { signal } = over;
  try {
    await Promise.race([once(to, event, { signal }), once(to, "close", { signal })]);
  } catch {
    to.destroy();
  } finally {
    clearTimeout(late);
    over.abort();
  }
}
