// What endpoints that answer in one piece or as a stream need of HTTP: a bounded JSON body, whether the client has left, and
// server-sent events (WHATWG HTML §9.2) that wait for a slow reader.
import type { Writable } from "node:stream";
import { readJsonBody } from "../../security/json-body";
import { beginEventStream } from "../../security/event-stream";
import { writeToReader } from "../../security/slow-reader";

const BODY_BYTES_MAX = 512 << 10;

/** @throws APIError invalid_request */
export const readJson = (request: Parameters<typeof readJsonBody>[0]): Promise<unknown> =>
  readJsonBody(request, BODY_BYTES_MAX);

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
  beginEventStream(response);
}

/**
 * Resolves when there is room for more; false when the reader has left or reads no more. A process that drains ends the calls
 * (deadline.ts), so that a stream's last event is an error: one that just ended would look whole.
 */
export const writeEvents = (response: Writable, text: string): Promise<boolean> => writeToReader(response, text);
