// If-Match and ETag (RFC 9110, 8.8.3 and 13.1.1): a change may say which version it is of, so that nobody overwrites what they have not
// seen. The tag is the record's version; one that is none of ours fits no record, like one of another version.
import type { Place } from "./store/change";

export interface Precondition {
  /** Null: whatever version there is. */
  versions: readonly number[] | null;
}

export const etagOf = ({ version }: { version: number }): string => `"${version}"`;

/** Reads If-Match: `*`, or tags with commas between them. Weak ones never fit (RFC 9110, 13.1.1). */
export function readIfMatch(header: string | undefined): Precondition {
  if (header === undefined || header.trim() === "*") return { versions: null };
  const tags = header.split(",", 20).map((tag) => tag.trim());
  return { versions: tags.flatMap((tag) => versionOf(tag) ?? []) };
}

function versionOf(tag: string): number | undefined {
  const text = tag.slice(1, -1);
  const version = Number(text);
  const isOurs = tag === `"${text}"` && String(version) === text && Number.isSafeInteger(version);
  return isOurs && version > 0 ? version : undefined;
}

/** Which record a change is of, and which version of it. */
export interface Change extends Precondition, Place {}
