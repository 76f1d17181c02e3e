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
  too_many_endpoints: {
    class: "failed_precondition",
    text: "the organisation has as many webhook endpoints as one can have",
    remedy: "Remove one that nobody needs, with DELETE /webhooks/endpoints/:id.",
  },
});
