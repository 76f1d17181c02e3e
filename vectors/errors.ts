// The error catalogue of the vectors service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("vectors", {
  document_not_found: {
    class: "not_found",
    text: "there is no document with this id",
    remedy: "Check the id; documents of other organisations are not found either.",
  },
});
