// The error catalogue of the events service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("events", {
  dead_letter_not_found: {
    class: "not_found",
    text: "none of these ids is that of an open dead letter",
    remedy: "List the open ones with GET /events/dead-letters; they may have been redriven or discarded already.",
  },
  consumer_not_found: {
    class: "not_found",
    text: "no consumer of this name runs, or has anything waiting",
    remedy:
      "GET /operator/consumers, or `npm run admin -- consumers list`, names them; one that has not run for a day is forgotten.",
  },
  replay_running: {
    class: "failed_precondition",
    text: "a replay to this consumer is not finished yet",
    remedy:
      "Wait for it: `replay` in GET /operator/consumers says how far it has come. It does not finish while the consumer is paused.",
  },
  payload_too_large: {
    class: "invalid_argument",
    text: "what follows from this request is too large to be passed on",
    remedy:
      "Send less at once. For maintainers: put the content into a table or bucket, and its id into the event or job; details says the type, its bytes and the most that is taken.",
  },
});
