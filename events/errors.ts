// The error catalogue of the events service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("events", {
  dead_letter_not_found: {
    class: "not_found",
    text: "none of these ids is that of an open dead letter",
    remedy: "List the open ones with GET /events/dead-letters; they may have been redriven or discarded already.",
  },
});
