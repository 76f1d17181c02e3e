// Reads a whole request body, up to a limit (H-57).
import type { IncomingMessage } from "node:http";
import { Failure } from "./failure";

const PROBLEM = "unable to read request body: length limit exceeded\n\nCaused by:\n    length limit exceeded";
const EMPTY = Buffer.alloc(0);

export interface BodyOutcome {
  done(body: Buffer): void;
  failed(failure: Failure): void;
}

/** Whether the head of a request announces a body. */
export function announcesBody(req: IncomingMessage): boolean {
  const { headers } = req;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Collects the body. After a failure the rest is thrown away as it arrives, so that memory stays bounded. */
export function readBody(req: IncomingMessage, limit: number | null, outcome: BodyOutcome): void {
  if (!announcesBody(req)) return outcome.done(EMPTY);
  const chunks: Buffer[] = [];
  let size = 0;
  let settled = false;
  req.on("data", (chunk: Buffer) => {
    if (settled) return;
    size += chunk.length;
    if (limit === null || size <= limit) {
      chunks.push(chunk);
      return;
    }
    settled = true;
    chunks.length = 0;
    outcome.failed(new Failure("invalid_argument", PROBLEM));
  });
  req.on("end", () => {
    if (settled) return;
    settled = true;
    outcome.done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  });
  req.on("error", (error) => {
    if (settled) return;
    settled = true;
    outcome.failed(new Failure("invalid_argument", `unable to read request body: ${error.message}`));
  });
}
