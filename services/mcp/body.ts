// The body of a message: bounded, and one message. The transport would read it by itself, and take lists of messages, which the
// protocol has no more since 2025-06-18 and which would be many calls at the price of one.
import type { IncomingMessage } from "node:http";
import { isBounded } from "../../security/bounded-json";
import { commonErrors } from "../../security/common-errors";
import { NO_JSON } from "./rpc-refusals";

/** As the endpoint that stores documents has it: Encore's own limit of a body. */
const BODY_BYTES_MAX = 2 << 20;
/** No message needs more, and each is looked at by the checks of the SDK and of the tool, several times: 200,000 would hold the loop. */
const VALUES_MAX = 2_000;
const DEPTH_MAX = 32;

const refused = (problem: string, facts: Record<string, string> = {}): Error =>
  commonErrors.invalid_request({ fields: { "(body)": problem }, facts });

/** @throws APIError invalid_request */
export async function readMessage(request: Pick<IncomingMessage, typeof Symbol.asyncIterator>): Promise<object> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const piece = Buffer.from(part as Uint8Array);
    bytes += piece.byteLength;
    if (bytes > BODY_BYTES_MAX)
      throw refused(`is larger than ${BODY_BYTES_MAX} bytes`, { bodyBytesMax: String(BODY_BYTES_MAX) });
    parts.push(piece);
  }
  const message = parse(Buffer.concat(parts).toString());
  if (Array.isArray(message)) throw refused("is a list of messages: send them one by one");
  if (typeof message !== "object" || message === null) throw refused("is no message");
  if (!isBounded(message, DEPTH_MAX, VALUES_MAX))
    throw refused(`holds more than ${VALUES_MAX} values, or is nested more than ${DEPTH_MAX} deep`);
  return message;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw refused(NO_JSON);
  }
}
