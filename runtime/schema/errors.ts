// What goes wrong while a value is decoded. Messages follow the official runtime's (contract 3.4–3.7),
// which are those of serde: what was found, what was expected, and for JSON texts where.

import { quotable } from "./rust-text";

/** A value that does not fit its schema. `message` is complete: path, problem and, for JSON texts, the place. */
export class DecodeError extends Error {
  override name = "DecodeError";
}

/** A JavaScript value that cannot be sent (contract N-1). The text is the official one, without its `InvalidArg, ` prefix. */
export class EncodeError extends Error {
  override name = "EncodeError";
  readonly code = "InvalidArg";
}

/** One step of the way to a value: a key or an index. */
export type Step = string | number;

/** `a.b[2]`, as the official messages print paths. */
export function formatPath(steps: readonly Step[]): string {
  let out = "";
  for (const step of steps) out += typeof step === "number" ? `[${step}]` : `${out && "."}${quotable(step)}`;
  return out;
}

/** `missing field a` or `missing fields `a` and `b``. */
export function missingFields(names: readonly string[]): string {
  const quoted = names.map((n) => `\`${n}\``);
  if (names.length === 1) return `missing field ${names[0]}`;
  if (names.length === 2) return `missing fields ${quoted[0]} and ${quoted[1]}`;
  return `missing fields ${quoted.slice(0, -1).join(", ")}, and ${quoted.at(-1)}`;
}
