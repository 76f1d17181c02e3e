// What the gate says of a misfit: where, for whom it breaks, and what to do instead.
import type { Misfit, MisfitRule } from "./misfit";

type Wording = Readonly<Record<MisfitRule, (detail: string) => string>>;

/** The new version writes, the consumers of today read. */
const FORWARD: Wording = {
  refused: (detail) => `may now be ${detail}, which consumers of today refuse`,
  absent: () => "may now be absent, which consumers of today require",
  undeclared: () => "is new, and consumers of today refuse fields that they do not know",
  removed: () => "was removed",
  default: () => "has another default",
  opaque: () => "has rules that cannot be compared, and they changed",
};

/** Yesterday's version has written, the new one reads: outbox, queues, dead letters, replays. */
const BACKWARD: Wording = {
  refused: (detail) => `may be ${detail} in stored events, which is refused now`,
  absent: () => "is required now, and stored events may lack it",
  undeclared: () => "may be in stored events, and fields that are not declared are refused now",
  removed: () =>
    "was removed: what stored events say there is lost, and a later field of that name could have another type",
  default: (detail) => `had the default ${detail}: stored events that lack it would mean something else`,
  opaque: () => "has rules that cannot be compared, and they changed",
};

const REMEDY: Readonly<Record<MisfitRule, string>> = {
  refused: "keep accepting and writing what it was",
  absent: "let it be as it was, or add a new field that is optional",
  undeclared: "leave the object as open or closed as it is",
  removed: "keep the field and fill it",
  default: "keep the default",
  opaque: "write it as it was",
};

export function sentenceOf({ path, rule, detail }: Misfit, isStored: boolean): string {
  return `${path} ${(isStored ? BACKWARD : FORWARD)[rule](detail)}: ${REMEDY[rule]}`;
}
