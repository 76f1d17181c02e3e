// Messages to text and back. Publishing does not check the schema (Appendix B, P-10): a message that does not
// fit counts as a failed delivery, is logged and ends as a dead letter, where it can be looked at.
import type { Host } from "../host";
import type { Schema } from "../model";
import { nativeError } from "../native/native-error";
import { compileMessageCodec, EncodeError, type MessageCodec } from "../schema";

export type { MessageCodec };

/** The codec of a topic's message type; `encodeSoon` throws, or rejects with, what the SDK's caller of `publish` sees (P-13). */
export function createMessageCodec(host: Pick<Host, "model" | "newDecimal">, message: Schema): MessageCodec {
  const codec = compileMessageCodec(host.model, message, host.newDecimal);
  return {
    ...codec,
    encodeSoon: (value) => {
      try {
        const text = codec.encodeSoon(given(value));
        return typeof text === "string"
          ? text
          : text.catch((error: unknown) => {
              throw unfit(error);
            });
      } catch (error) {
        throw unfit(error);
      }
    },
  };
}

function given(value: unknown): unknown {
  if (value === null || value === undefined) throw nativeError("no message payload provided", "InvalidArg");
  return value;
}

function unfit(error: unknown): unknown {
  return error instanceof EncodeError
    ? nativeError(`failed to parse payload\n\nCaused by:\n    InvalidArg, ${error.message}`, "GenericFailure", error)
    : error;
}
