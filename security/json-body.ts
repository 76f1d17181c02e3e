// The JSON body of a raw endpoint, bounded: no more of it is kept than is taken.
import type { IncomingMessage } from "node:http";
import { commonErrors } from "./common-errors";

/** What is said of a body that cannot be read. */
export const NO_JSON = "is no JSON";

/** @throws APIError invalid_request that names the body; of one that is too large with `details.bodyBytesMax`. */
export async function readJsonBody(
  request: Pick<IncomingMessage, typeof Symbol.asyncIterator>,
  bytesMax: number,
): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const piece = Buffer.from(part as Uint8Array);
    bytes += piece.byteLength;
    if (bytes > bytesMax) throw refusedBody(`is larger than ${bytesMax} bytes`, { bodyBytesMax: String(bytesMax) });
    parts.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString()) as unknown;
  } catch {
    throw refusedBody(NO_JSON);
  }
}

export const refusedBody = (problem: string, facts: Record<string, string> = {}): Error =>
  commonErrors.invalid_request({ fields: { "(body)": problem }, facts });
