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
  category_reserved: {
    class: "permission_denied",
    text: "the category passes what people prefer, and is for who manages notifications",
    remedy:
      "Send it in another category, or ask an owner or admin of the organisation: it is urgent or locked by PUT /notifications/policy.",
  },
  destination_not_verified: {
    class: "failed_precondition",
    text: "a destination is not verified, or not yours",
    remedy:
      "Leave out what is named in details.fields, or verify it first: only what you have shown to be yours is used.",
  },
  template_not_found: {
    class: "not_found",
    text: "there is no template of this name",
    remedy:
      "List them with GET /notifications/templates, or make it with PUT /notifications/templates/:name/:language.",
  },
  template_not_rendered: {
    class: "failed_precondition",
    text: "the template does not become a notification with these values",
    remedy: "Correct what details.fields says of its languages: give the value in data, or change the template.",
  },
  too_many_templates: {
    class: "failed_precondition",
    text: "the organisation has as many templates as one can have",
    remedy:
      "Remove one with DELETE /notifications/templates/:name/:language: there are a thousand, each language counted.",
  },
  topic_not_found: {
    class: "not_found",
    text: "there is no such topic, or you are not subscribed to it",
    remedy: "Check the name: a topic is there for as long as somebody is subscribed to it.",
  },
  topic_full: {
    class: "failed_precondition",
    text: "the topic would have more subscribers than one can have",
    remedy: "A topic has ten thousand at most: make another one, and send to both.",
  },
  too_many_categories: {
    class: "failed_precondition",
    text: "your preferences name as many categories as they can",
    remedy: "Sign in and leave out those that you do not need with PUT /notifications/preferences: a hundred at most.",
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
