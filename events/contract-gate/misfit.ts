// One thing that a writer may write and a reader does not take.

export type MisfitRule = "refused" | "absent" | "undeclared" | "removed" | "default" | "opaque";

export interface Misfit {
  readonly path: string;
  readonly rule: MisfitRule;
  /** What the writer may write there, as it follows "may be". */
  readonly detail: string;
}

const SHOWN_MAX = 60;

/** A value as it stands in a sentence. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
