// What endpoints that answer in one piece or as a stream need of HTTP: a bounded JSON body, whether the client has left, and
// server-sent events (WHATWG HTML §9.2) that wait for a slow reader.
import type { IncomingMessage } from "node:http";
import type { Writable } from "node:stream";
import { commonErrors } from "../../security/common-errors";
import { writeToReader } from "../../security/slow-reader";

const BODY_BYTES_MAX = 512 << 10;

const invalidBody = (problem: string): Error => commonErrors.invalid_request({ fields: { "(body)": problem } });

/** @throws APIError invalid_request */
export async function readJson(request: Pick<IncomingMessage, typeof Symbol.asyncIterator>): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const piece = Buffer.from(part as Uint8Array);
    bytes += piece.byteLength;
    if (bytes > BODY_BYTES_MAX) {
      const fields = { "(body)": `is larger than ${BODY_BYTES_MAX} bytes` };
      throw commonErrors.invalid_request({ fields, facts: { bodyBytesMax: String(BODY_BYTES_MAX) } });
    }
    parts.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString()) as unknown;
  } catch {
    throw invalidBody("is no JSON");
  }
}

/** Aborts when the client leaves before it has its answer. */
export function whenLeft(response: Writable): AbortSignal {
  const left = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) left.abort();
  });
  return left.signal;
}

interface ResponseHead extends Writable {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
}

export function answerJson(response: ResponseHead, body: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

export function beginEvents(response: ResponseHead): void {
  response.statusCode = 200;
  response.setHeader("content-type", "text/event-stream");
  response.setHeader("cache-control", "no-store");
  // nginx would gather what is written.
  response.setHeader("x-accel-buffering", "no");
}

/**
 * Resolves when there is room for more; false when the reader has left or reads no more. A process that drains ends the calls
 * (deadline.ts), so that a stream's last event is an error: one that just ended would look whole.
 */
export const writeEvents = (response: Writable, text: string): Promise<boolean> => writeToReader(response, text);
