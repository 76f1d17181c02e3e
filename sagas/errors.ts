// The error catalogue of the sagas service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("sagas", {
  saga_not_found: {
    class: "not_found",
    text: "there is no such saga",
    remedy: "List them with GET /sagas; one that ended is kept for thirty days.",
  },
  saga_not_running: {
    class: "already_exists",
    text: "the saga does not run any more",
    remedy: "GET /sagas/:id tells its outcome. One that is stuck goes on by POST /sagas/:id/retry or /skip.",
  },
  saga_not_stuck: {
    class: "already_exists",
    text: "the saga is not stuck",
    remedy: "There is nothing to retry or to skip: GET /sagas/:id tells its state.",
  },
  saga_step_not_skippable: {
    class: "already_exists",
    text: "only an undo that failed can be skipped",
    remedy: "Deploy the definition that the saga began with, under its name and version, and retry.",
  },
  saga_input_unusable: {
    class: "invalid_argument",
    text: "the input is longer than 64 KiB, or holds a NUL character",
    remedy: "Store what is large where it belongs, and give the saga its id.",
  },
});
