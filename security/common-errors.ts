// The errors that every service may answer: raised by the guard and by error normalisation, not by rules.
import { defineErrors } from "./errors";

export const commonErrors = defineErrors("common", {
  unauthenticated: {
    class: "unauthenticated",
    text: "sign in to use this endpoint",
    remedy: "Send a valid access token in the Authorization header.",
  },
  permission_denied: {
    class: "permission_denied",
    text: "your role does not allow this",
    remedy: "Ask an owner or admin of the organisation for a role that holds the permission.",
  },
  no_organisation: {
    class: "permission_denied",
    text: "this needs an organisation, and you have chosen none",
    remedy: "Choose one with POST /auth/switch, or make one with POST /auth/organisations.",
  },
  organisation_mismatch: {
    class: "aborted",
    text: "you act in another organisation than X-Organisation-Id names",
    remedy:
      "Show the organisation that GET /auth/me answers (without the header), or choose the other one with POST /auth/switch. Nothing was done.",
  },
  step_up_required: {
    class: "permission_denied",
    text: "this needs you to show again who you are",
    remedy:
      "Send POST /auth/step-up (operators: POST /operator/step-up) and repeat the request with the token that it answers, within ten minutes.",
  },
  own_proof_required: {
    class: "permission_denied",
    text: "this needs something of your account's own: an organisation's provider vouched for you, for that organisation alone",
    remedy:
      "Send POST /auth/step-up with your password, a factor, a code that is mailed to you, or by one of the `ownProviders` (GET /auth/step-up/methods names the ways), and repeat the request with the access token that it answers. Or sign in by one of these. For another organisation that has a provider of its own, begin there with POST /auth/oidc/begin.",
  },
  endpoint_closed: {
    class: "permission_denied",
    text: "this endpoint is not open to anybody",
    remedy: "For maintainers: give the endpoint a can:, self or public: tag.",
  },
  cross_site_request: {
    class: "permission_denied",
    text: "this request came from another site",
    remedy:
      "Send it from a page of this origin, or with the access token in the Authorization header instead of the cookie.",
  },
  rate_limited: {
    class: "resource_exhausted",
    text: "too many requests",
    retryable: true,
    remedy: "Wait details.retryAfterSeconds and send the request again. details.limit says which limit it was.",
  },
  invalid_request: {
    class: "invalid_argument",
    text: "the request is not valid",
    remedy: "Correct the fields named in details.fields.",
  },
  list_too_costly: {
    class: "failed_precondition",
    text: "finding what fits takes too long: too many records are passed over for it",
    remedy:
      "Narrow the filter: name a value that few records have (an id, a code, a name), bound the field that the list is sorted by, or sort by the field that is filtered.",
  },
  internal_error: {
    class: "internal",
    text: "an internal error occurred",
    remedy: "Report details.requestId; the log line with that id holds the cause.",
  },
  service_unavailable: {
    class: "unavailable",
    text: "a part of the service is not available right now",
    retryable: true,
    remedy: "Repeat the request after details.retryAfterSeconds.",
  },
  conflict_retry: {
    class: "aborted",
    text: "the request collided with another one",
    retryable: true,
    remedy: "Repeat the request.",
  },
  request_timeout: {
    class: "unavailable",
    text: "the request took too long and was given up",
    retryable: true,
    remedy: "Repeat the request, with less in it if it was large.",
  },
});
