// What a client still sends when its answer is ready is thrown away for a while, as nginx does (lingering_close): a connection that
// is reset while the client writes may take the answer along, and a body that nobody reads blocks the next request behind it.
import type { Readable } from "node:stream";

/** More than a file may have where nobody has set another limit. */
const LINGER_BYTES = 32 * 1024 * 1024;
const LINGER_MS = 30_000;

/** Reads the rest of the request, so many bytes and so long at most. */
export function linger(request: Readable, { bytes = LINGER_BYTES, ms = LINGER_MS } = {}): void {
  if (request.readableEnded || request.destroyed) return;
  let left = bytes;
  const late = setTimeout(() => request.destroy(), ms).unref();
  const over = (): void => clearTimeout(late);
  request
    .on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) request.destroy();
    })
    .on("error", over)
    .on("end", over)
    .on("close", over);
  // A form that nobody reads any more would hold it back.
  request.unpipe();
  request.resume();
}
