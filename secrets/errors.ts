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
  too_many_data_keys: {
    class: "failed_precondition",
    text: "the organisation's data key was replaced too often within the last hours",
    remedy: "Replace it again in two hours: keys that seal nothing any more are gone by then.",
  },
  secret_unreadable: {
    class: "failed_precondition",
    text: "the secret cannot be opened any more",
    remedy:
      "Store it again with PUT /secrets/:name. For operators: the master key that sealed the organisation's key is not among those that are set.",
  },
});
