// The text of an answer that may be a stream of events without an end: such a one shows at once what it has.
import type { Readable } from "node:stream";

const SHOWN_MS = 1_000;

interface Answered {
  headers: Readonly<Record<string, unknown>>;
  body: Readable & { text(): Promise<string> };
}

/** The whole text; of a stream of events what it shows within `withinMs`. */
export async function shownOf({ headers, body }: Answered, withinMs = SHOWN_MS): Promise<string> {
  if (!String(headers["content-type"]).startsWith("text/event-stream")) return body.text();
  let text = "";
  const ended = setTimeout(() => body.destroy(), withinMs);
  try {
    for await (const chunk of body) text += String(chunk);
  } catch {
    // cut off by the timer
  } finally {
    clearTimeout(ended);
  }
  return text;
}
