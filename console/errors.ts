// Errors of the console.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("console", {
  console_kind_unknown: {
    class: "not_found",
    text: "there are no dead letters of this kind",
    remedy: "Ask for those of events or of jobs.",
  },
  console_organisation_not_found: {
    class: "not_found",
    text: "there is no such organisation",
    remedy: "Find it by a member's e-mail, with GET /operator/organisations?email=.",
  },
  console_page_not_found: {
    class: "not_found",
    text: "there is no such page of the console",
    remedy: "Open /console. For operators: the flag consolePage says whether this installation has one.",
  },
});
