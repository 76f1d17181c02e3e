// The error catalogue of the flags service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("flags", {
  flag_not_found: {
    class: "not_found",
    text: "there is no such flag that an organisation may have another value of",
    remedy: "For operators: GET /operator/flags lists them.",
  },
  flag_value_refused: {
    class: "invalid_argument",
    text: "the flag has no such value",
    remedy: "Give one of `details.allowed`, as a text.",
  },
  flag_override_not_found: {
    class: "not_found",
    text: "the organisation has no other value of this flag",
    remedy: "For operators: GET /operator/organisations/:id/flags lists those that it has.",
  },
});
