// Whether a contract may change in place. A version of an event stands in outboxes, queues, dead letters and replays
// (read by the new code) and is read by replicas and consumers of yesterday while a new one rolls out, so a change must
// hold both ways: Avro and Confluent's Schema Registry call it FULL. It holds over any number of changes (FULL_TRANSITIVE)
// although only the last contract is kept, because a field that was declared can neither vanish nor change its values.
//
// Source of the rules: Avro 1.12 "Schema Resolution"; Confluent "Schema Evolution and Compatibility" and R. Yokota,
// "Understanding JSON Schema Compatibility" (open and closed content models). One rule is milder there than here (removing an
// optional field) and one stricter (adding an optional field to an open object, which Confluent refuses because any writer
// could have written anything there; here `emit` strips what is not declared, so nothing was).
//
// Looked at before writing this: json-schema-diff 1.0 (drafts 4 to 7, no $ref across, says what differs but not for whom),
// json-schema-diff-validator 0.4 (a textual diff: refuses any replaced node), jsoncompat 0.4 (a real containment check of
// 2020-12 in WebAssembly; answers yes or no without a reason, calls itself alpha, 1.5 s to load). The last one is the second
// opinion in contract-gate.long.test.ts: what this gate lets through, it does too.
import type { JsonSchema } from "../contracts";
import { misfitsOf } from "./misfits";
import { sentenceOf } from "./sentences";

/**
 * What in `next` breaks those who know `previous`, as sentences with path, reason and remedy; empty when nothing does.
 * Each is said once, what breaks stored events first.
 */
export function breakingChanges(previous: JsonSchema, next: JsonSchema): string[] {
  const stored = misfitsOf({ written: previous, read: next, isStored: true });
  const rolling = misfitsOf({ written: next, read: previous, isStored: false });
  const sentences = [
    ...stored.map((misfit) => sentenceOf(misfit, true)),
    ...rolling.map((misfit) => sentenceOf(misfit, false)),
  ];
  return [...new Set(sentences)];
}
