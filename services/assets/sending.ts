// Handing bytes to a client that takes them as slowly as it likes: one part is in memory, the next is fetched when the client has
// taken the one before, and who takes nothing for a minute has left.
import type { Writable } from "node:stream";
import { endToReader, writeToReader } from "../../security/slow-reader";
import type { Place } from "./places";

/** Waited for at a time: a slow client that goes on taking is not taken for one that has left. */
const PIECE_BYTES = 65_536;

/** Writes `first` and what `rest` brings, and ends the response; a client that has left or is given up gets no more. */
export async function sendParts(
  { first, rest }: { first: Buffer; rest: AsyncIterator<Buffer> },
  response: Writable,
  place: Place,
  withinMs?: number,
): Promise<void> {
  const giveUp = (): void => void response.destroy();
  place.signal.addEventListener("abort", giveUp);
  try {
    for (let part: Buffer | undefined = first; part !== undefined; part = await place.ours(() => nextOf(rest)))
      if (!(await sendPart(part, response, withinMs))) return;
    // The last piece is of the last part, which is in memory for as long.
    await endToReader(response, withinMs);
  } finally {
    place.signal.removeEventListener("abort", giveUp);
  }
}

async function nextOf(parts: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  const next = await parts.next();
  return next.done === true ? undefined : next.value;
}

/** False when nobody takes it. */
async function sendPart(part: Buffer, response: Writable, withinMs: number | undefined): Promise<boolean> {
  for (let at = 0; at < part.length; at += PIECE_BYTES)
    if (!(await writeToReader(response, part.subarray(at, at + PIECE_BYTES), withinMs))) return false;
  return true;
}
