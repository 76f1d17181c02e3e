// Messages to text and back. Publishing does not check the schema (Appendix C, P-10): a message that does not
// fit counts as a failed delivery, is logged and ends as a dead letter, where it can be looked at.
import { toPlain, UnrepresentableError } from "../log/plain-value";
import { nativeError } from "../native/native-error";

const typeNames: Record<string, string> = { string: "String", number: "Number", boolean: "Boolean", bigint: "BigInt", function: "Function", symbol: "Symbol" };

const notAPayload = (cause: string): Error => nativeError(`failed to parse payload\n\nCaused by:\n    ${cause}`);

/** P-13 and Appendix C: what cannot be published, and how the SDK's caller learns of it. */
export function encodeMessage(message: unknown): { text: string; fields: Record<string, unknown> } {
  if (message === null || message === undefined) throw nativeError("no message payload provided", "InvalidArg");
  if (typeof message !== "object") throw notAPayload(`InvalidArg, Expect value to be Object, but received ${typeNames[typeof message]}`);
  try {
    const fields = toPlain(message) as Record<string, unknown>;
    return { text: JSON.stringify(fields), fields };
  } catch (error) {
    throw error instanceof UnrepresentableError ? notAPayload(error.message) : error;
  }
}
