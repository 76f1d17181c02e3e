// Identifiers. UUIDv7 is made in the app: keys grow with time (inserts stay at the right edge of the
// index) and are known before the row exists, so that an event can name what it is about.
import { v5, v7 } from "uuid";

export { isUuid } from "../security/uuid";

const NAMESPACE = "6f1d1f1e-6b0c-4a51-9d0c-7f3a2f6c9b10";

/** A new UUIDv7 (RFC 9562 §5.7), lower-case text. */
export function newId(): string {
  return v7();
}

/** The same UUID for the same parts, in any process (UUIDv5, RFC 9562 §5.5): ids that must not be made twice. */
export function idFromParts(...parts: readonly string[]): string {
  return v5(parts.map((part) => `${part.length}:${part}`).join(""), NAMESPACE);
}
