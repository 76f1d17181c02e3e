// The body of a message: bounded, and one message. The transport would read it by itself, and take lists of messages, which the
// protocol has no more since 2025-06-18 and which would be many calls at the price of one.
import { isBounded } from "../../security/bounded-json";
import { readJsonBody, refusedBody } from "../../security/json-body";

/** As the endpoint that stores documents has it: Encore's own limit of a body. */
const BODY_BYTES_MAX = 2 << 20;
/** No message needs more, and each is looked at by the checks of the SDK and of the tool, several times: 200,000 would hold the loop. */
const VALUES_MAX = 2_000;
const DEPTH_MAX = 32;

/** @throws APIError invalid_request */
export async function readMessage(request: Parameters<typeof readJsonBody>[0]): Promise<object> {
  const message = await readJsonBody(request, BODY_BYTES_MAX);
  if (Array.isArray(message)) throw refusedBody("is a list of messages: send them one by one");
  if (typeof message !== "object" || message === null) throw refusedBody("is no message");
  if (!isBounded(message, DEPTH_MAX, VALUES_MAX))
    throw refusedBody(`holds more than ${VALUES_MAX} values, or is nested more than ${DEPTH_MAX} deep`);
  return message;
}
