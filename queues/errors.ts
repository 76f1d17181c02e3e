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
  task_kept: {
    class: "failed_precondition",
    text: "the task is not one that is canceled",
    remedy:
      "A notice to somebody, or a removal that was promised, goes on by itself: GET /tasks/:id tells how far it is.",
  },
  dead_letter_not_found: {
    class: "not_found",
    text: "none of these ids is that of an open dead letter",
    remedy: "List the open ones with GET /queues/dead-letters; they may have been redriven or discarded already.",
  },
});
