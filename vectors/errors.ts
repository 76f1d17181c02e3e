// The error catalogue of the vectors service.
import { defineErrors } from "../security/errors";

export const errors = defineErrors("vectors", {
  document_not_found: {
    class: "not_found",
    text: "there is no document with this id",
    remedy: "Check the id; documents of other organisations are not found either.",
  },
  document_too_complex: {
    class: "invalid_argument",
    text: "the text takes too much time or memory to be split",
    remedy:
      "Send it in smaller parts, or without markup that is nested deeply or has hundreds of thousands of small parts.",
  },
  embedder_unavailable: {
    class: "unavailable",
    text: "the embeddings server does not answer",
    retryable: true,
    remedy:
      "Wait details.retryAfterSeconds and ask again, or search with mode=hybrid or mode=words, which words alone can answer.",
  },
  documents_waiting: {
    class: "unavailable",
    text: "too many documents wait to be split",
    retryable: true,
    remedy: "Wait details.retryAfterSeconds and send it again.",
  },
});
