import { expect, test } from "vitest";
import { findBreak, linkOf, NO_HASH, personalDigest, type ChainedEntry } from "../chain";

const [before, after, stranger] = ["b", "a", "s"].map((text) => Buffer.alloc(32, text)) as [Buffer, Buffer, Buffer];

/** Two entries of the earlier master key and two of the present one, as a replacement of the key leaves them. */
function chain(keys: readonly Buffer[]): ChainedEntry[] {
  const entries: ChainedEntry[] = [];
  for (const [index, key] of keys.entries()) {
    const id = `entry-${index}`;
    const personal = { email: `${index}@example.com` };
    const entry = {
      tenantId: "t",
      seq: index + 1,
      id,
      atMicros: String(index),
      action: "a.b.c",
      actor: "user:1",
      targetType: null,
      targetId: null,
      correlationId: "c",
      fields: {},
      personalDigest: personalDigest(key, id, personal),
    };
    entries.push({ ...entry, personal, hash: linkOf(key, entries.at(-1)?.hash ?? NO_HASH, entry) });
  }
  return entries;
}

test("a chain goes on under a new master key, and holds while the one before is in the list", () => {
  const from = { seq: 1, before: NO_HASH };
  const entries = chain([before, before, after, after]);
  expect(findBreak([after, before], from, entries)).toBeUndefined();
  expect(findBreak([after], from, entries)).toEqual({ seq: 1, what: "changed" });
  expect(findBreak([before], from, entries)).toEqual({ seq: 3, what: "changed" });
  expect(findBreak([after, before], from, chain([before, stranger, after]))).toEqual({ seq: 2, what: "changed" });
});
