// The error catalogue of the queues service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("queues", {
  task_not_found: {
    class: "not_found",
    text: "there is no such task",
    remedy: "List them with GET /tasks; one that ended is kept for a week.",
  },
  task_ended: {
    class: "already_exists",
    text: "the task has ended",
    remedy: "There is nothing left to cancel: GET /tasks/:id tells its outcome.",
  },
  dead_letter_not_found: {
    class: "not_found",
    text: "none of these ids is that of an open dead letter",
    remedy: "List the open ones with GET /queues/dead-letters; they may have been redriven or discarded already.",
  },
});
