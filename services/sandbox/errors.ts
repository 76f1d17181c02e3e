// The error catalogue of the sandbox service. What users' code does wrong is none of these: it is an answer.
import { defineErrors } from "../../security/errors";

export const errors = defineErrors("sandbox", {
  runs_waiting: {
    class: "unavailable",
    text: "too many runs wait for their turn",
    retryable: true,
    remedy: "Wait details.retryAfterSeconds and send it again.",
  },
  sandbox_unavailable: {
    class: "unavailable",
    text: "no process for users' code could be started",
    retryable: true,
    remedy: "Wait details.retryAfterSeconds and send it again.",
  },
  sandbox_walls_missing: {
    class: "unavailable",
    text: "this installation does not run users' code: the kernel's limits cannot be set",
    retryable: false,
    remedy: "Tell the operator: the log of the start says what to install.",
  },
});
