// The error catalogue of the secrets service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("secrets", {
  secret_not_found: {
    class: "not_found",
    text: "the organisation has no such secret",
    remedy: "List them with GET /secrets.",
  },
  too_many_secrets: {
    class: "failed_precondition",
    text: "the organisation has as many secrets as one can have",
    remedy: "Remove one that nothing needs, with DELETE /secrets/:name.",
  },
  secret_unreadable: {
    class: "failed_precondition",
    text: "the secret cannot be opened any more",
    remedy:
      "Store it again with PUT /secrets/:name. For operators: the master key that sealed the organisation's key is not among those that are set.",
  },
});
