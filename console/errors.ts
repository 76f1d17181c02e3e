// Errors of the console.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("console", {
  console_page_not_found: {
    class: "not_found",
    text: "there is no such page of the console",
    remedy: "Open /console. For operators: the flag consolePage says whether this installation has one.",
  },
});
