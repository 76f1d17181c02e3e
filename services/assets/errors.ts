// The error catalogue of the assets service.
import { defineErrors } from "../../security/errors";

export const errors = defineErrors("assets", {
  asset_not_found: {
    class: "not_found",
    text: "there is no asset with this id",
    remedy: "Check the id, and the version if one was asked for; assets of other organisations are not found either.",
  },
  file_too_large: {
    class: "invalid_argument",
    text: "the file is larger than a file may be",
    remedy: "Send at most details.bytesMax bytes; ASSETS_FILE_BYTES_MAX is what the installation allows.",
  },
  file_empty: {
    class: "invalid_argument",
    text: "the request has no file, or one without a single byte",
    remedy: "Send the file as the body, or as the one file of a multipart/form-data body.",
  },
  upload_broken_off: {
    class: "invalid_argument",
    text: "the file did not arrive whole",
    remedy: "Send it again: nothing of it was kept.",
  },
  form_unreadable: {
    class: "invalid_argument",
    text: "the multipart/form-data body cannot be read",
    remedy: "Send one file, at most ten other fields, and the boundary that the content-type names.",
  },
  storage_full: {
    class: "failed_precondition",
    text: "the organisation has no room for this file",
    remedy: "Delete files; details.limit says whether it has too many bytes or too many versions of files.",
  },
  uploads_waiting: {
    class: "unavailable",
    text: "too many files are being uploaded",
    retryable: true,
    remedy: "Wait details.retryAfterSeconds and send it again.",
  },
  downloads_waiting: {
    class: "unavailable",
    text: "too many files are being downloaded",
    retryable: true,
    remedy: "Wait details.retryAfterSeconds and ask for it again.",
  },
  range_not_satisfiable: {
    class: "out_of_range",
    text: "the file has no such range of bytes",
    remedy: "Ask for bytes below the size that GET /assets/:id tells.",
  },
});
