// The key as a client sends it: 1 to 255 printable ASCII characters, as Stripe and the IETF's draft
// (draft-ietf-httpapi-idempotency-key-header-07 §2) bound it. The draft writes it as a quoted string: the quotes are part
// of the key here, so that what a client sends is compared as it is.
import { createHash } from "node:crypto";
import { errors } from "./errors";

const KEY_MAX_CHARS = 255;

/** @throws APIError idempotency_key_invalid */
export function keyFrom(sent: string | readonly string[]): string {
  if (typeof sent !== "string" || sent.length === 0 || sent.length > KEY_MAX_CHARS || !isPrintable(sent))
    throw errors.idempotency_key_invalid();
  return sent;
}

function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** What the table knows of a key. */
export const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();
