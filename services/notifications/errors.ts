// The error catalogue of the notifications service.
import { defineErrors } from "../../security/errors";

export const errors = defineErrors("notifications", {
  notification_not_found: {
    class: "not_found",
    text: "there is no notification with this id",
    remedy: "List yours with GET /notifications; what is older than ninety days is gone.",
  },
  recipient_not_found: {
    class: "not_found",
    text: "somebody it is for is no member of the organisation",
    remedy: "Leave out who is named in details.fields. GET /auth/members lists who there is.",
  },
  destination_not_verified: {
    class: "failed_precondition",
    text: "a destination is not verified, or not yours",
    remedy:
      "Leave out what is named in details.fields, or verify it first: only what you have shown to be yours is used.",
  },
  push_subscription_not_found: {
    class: "not_found",
    text: "there is no push subscription of yours with this id",
    remedy: "List them with GET /notifications/push-subscriptions; one whose browser has ended it is gone.",
  },
  unsubscribe_link_invalid: {
    class: "invalid_argument",
    text: "the link is not valid",
    remedy: "Follow the link of the mail as it is, or change the preferences with PUT /notifications/preferences.",
  },
});
