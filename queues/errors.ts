// The error catalogue of the queues service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("queues", {
  dead_letter_not_found: {
    class: "not_found",
    text: "none of these ids is that of an open dead letter",
    remedy: "List the open ones with GET /queues/dead-letters; they may have been redriven or discarded already.",
  },
});
