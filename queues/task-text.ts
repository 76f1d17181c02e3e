// What a handler tells, as the database takes it: Postgres stores no NUL in text, and in jsonb no half of a surrogate pair either.
import { toUSVString } from "node:util";
import { storableJson } from "../db/storable-json";

const RESULT_MAX_BYTES = 16 << 10;
const LINE_MAX_CHARS = 1_000;

/** JSON; null for what has none or is too large. */
export function resultText(result: unknown): string | null {
  if (result === undefined) return null;
  try {
    const text = JSON.stringify(result);
    return Buffer.byteLength(text) <= RESULT_MAX_BYTES ? storableJson(text) : null;
  } catch {
    return null;
  }
}

export const lineText = (line: string): string => toUSVString(line.slice(0, LINE_MAX_CHARS)).replaceAll("\0", "");
