// Errors of requests with an Idempotency-Key.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("idempotency", {
  idempotency_key_invalid: {
    class: "invalid_argument",
    text: "the Idempotency-Key must be 1 to 255 printable ASCII characters, sent once",
    remedy: "Send one fresh random value for each thing to be done, for example a UUID.",
  },
  idempotency_key_reused: {
    class: "invalid_argument",
    text: "this Idempotency-Key was used for another request",
    remedy: "Repeat exactly the first request with it, or send a new key for the new request.",
  },
  idempotency_key_in_use: {
    class: "aborted",
    text: "the first request with this Idempotency-Key is still being served",
    retryable: true,
    remedy:
      "Repeat the request with the same key after details.retryAfterSeconds: it then gets the first one's answer.",
  },
  idempotency_answer_unknown: {
    class: "already_exists",
    text: "the first request with this Idempotency-Key was carried out, and its answer cannot be given again",
    remedy:
      "Read what the request has made instead of repeating it. The answer was too large to keep, or its server died.",
  },
});
