// Postgres' text and jsonb refuse U+0000 and halves of surrogate pairs, which JavaScript's strings may hold.
import { toUSVString } from "node:util";

export const storable = (text: string): string => toUSVString(text).replaceAll("\0", "\ufffd");

/** `value` as JSON text that jsonb takes. A message's body is JSON text already: nothing of it is lost. */
export const storableJson = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storable(part) : part));
