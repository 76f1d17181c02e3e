// The body of a raw endpoint, as JSON or as it came, bounded: no more of it is kept than is taken.
import type { IncomingMessage } from "node:http";
import { commonErrors } from "./common-errors";

/** What is said of a body that cannot be read. */
export const NO_JSON = "is no JSON";

/**
 * @throws APIError invalid_request that names the body; of one that is too large with `details.bodyBytesMax`. So too when its client
 * leaves before it has sent all: nobody reads that answer, and it is no fault of ours that operators would be told of.
 */
export async function readJsonBody(
  request: Pick<IncomingMessage, typeof Symbol.asyncIterator>,
  bytesMax: number,
): Promise<unknown> {
  const bytes = await readBoundedBody(request, bytesMax);
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    throw refusedBody(NO_JSON);
  }
}

/** The body as it came. @throws APIError as readJsonBody */
export async function readBoundedBody(
  request: Pick<IncomingMessage, typeof Symbol.asyncIterator>,
  bytesMax: number,
): Promise<Buffer> {
  const bytes = await readBytes(request, bytesMax);
  if (bytes === undefined) throw refusedBody(`is larger than ${bytesMax} bytes`, { bodyBytesMax: String(bytesMax) });
  return bytes;
}

/** undefined for more than `bytesMax`. */
async function readBytes(
  request: Pick<IncomingMessage, typeof Symbol.asyncIterator>,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request) {
      const piece = Buffer.from(part as Uint8Array);
      bytes += piece.byteLength;
      if (bytes > bytesMax) return undefined;
      parts.push(piece);
    }
  } catch {
    throw refusedBody("ended before all of it was sent");
  }
  return Buffer.concat(parts);
}

export const refusedBody = (problem: string, facts: Record<string, string> = {}): Error =>
  commonErrors.invalid_request({ fields: { "(body)": problem }, facts });
