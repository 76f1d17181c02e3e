// The error catalogue of the webhooks service.
import { defineErrors } from "../../security/errors";

export const errors = defineErrors("webhooks", {
  endpoint_not_found: {
    class: "not_found",
    text: "there is no webhook endpoint with this id",
    remedy: "List them with GET /webhooks/endpoints; endpoints of other organisations are not found either.",
  },
  endpoint_disabled: {
    class: "failed_precondition",
    text: "the webhook endpoint is disabled, so nothing is sent there",
    remedy: 'Enable it with PATCH /webhooks/endpoints/:id {status: "active"}, and send this again.',
  },
  webhook_message_not_found: {
    class: "not_found",
    text: "this endpoint had no such message within the last thirty days",
    remedy:
      "GET /webhooks/endpoints/:id/attempts names the messages; what was never meant for an endpoint is not replayed there.",
  },
  source_not_found: {
    class: "not_found",
    text: "there is no webhook source with this id",
    remedy: "List them with GET /webhooks/sources; sources of other organisations are not found either.",
  },
  too_many_sources: {
    class: "failed_precondition",
    text: "the organisation has as many webhook sources as one can have",
    remedy: "Remove one that nobody needs, with DELETE /webhooks/sources/:id.",
  },
  webhook_refused: {
    class: "not_found",
    text: "there is no such source, or the webhook is not signed as one of it is",
    remedy:
      "Check the address, the scheme and the secret of the source (GET /webhooks/sources), that the body arrives as it was signed, and the sender's clock: five minutes are let pass.",
  },
  too_many_endpoints: {
    class: "failed_precondition",
    text: "the organisation has as many webhook endpoints as one can have",
    remedy: "Remove one that nobody needs, with DELETE /webhooks/endpoints/:id.",
  },
});
