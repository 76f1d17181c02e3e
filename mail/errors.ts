// The error catalogue of the mail service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("mail", {
  mailbox_not_found: {
    class: "not_found",
    text: "there is no mailbox here",
    remedy:
      "The development mailbox is read from this machine or its own networks (METRICS_ALLOW). It does not exist when MAIL_URL names a mail server; in production there is no such path at all.",
  },
  message_not_found: {
    class: "not_found",
    text: "there is no mail with this id",
    remedy: "List them with GET /mail/messages; a mail is forgotten after a week.",
  },
  mail_not_configured: {
    class: "failed_precondition",
    text: "this installation sends no mail",
    remedy: "Whoever runs it sets MAIL_URL and MAIL_FROM.",
  },
});
