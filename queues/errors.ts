// The error catalogue of the queues service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("queues", {
  dead_letter_not_found: {
    class: "not_found",
    text: "there is no open dead letter with this id",
    remedy: "List the open ones with GET /queues/dead-letters; it may have been redriven already.",
  },
});
