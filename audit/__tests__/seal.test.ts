// What a seal is over, and which end gets one. What that shows of logs in a database: seal.pg.test.ts.
import { describe, expect, test } from "vitest";
import { masterKeyset } from "../../security/envelope";
import { isSealOf, nextEndSeal, sealOf, type SealedPlace } from "../seal";

const [first, second] = ["a", "b"].map((letter) => `${letter}-master-key-of-more-than-32-characters`) as [
  string,
  string,
];
const keys = masterKeyset(first, "audit log seals");
const place: SealedPlace = {
  of: "end",
  tenantId: "11111111-1111-4111-8111-111111111111",
  seq: 12,
  hash: Buffer.alloc(32, 7),
};

describe("a seal", () => {
  test("fits the place that it was made for", () => {
    expect(isSealOf(keys, sealOf(keys, place), place)).toBe(true);
  });

  test.each<[string, Partial<SealedPlace>]>([
    ["the other end", { of: "start" }],
    ["another log", { tenantId: "21111111-1111-4111-8111-111111111111" }],
    ["another entry", { seq: 11 }],
    ["a number that goes on in the hash", { seq: 1, hash: Buffer.concat([Buffer.from("2"), Buffer.alloc(32, 7)]) }],
    ["another hash", { hash: Buffer.alloc(32, 8) }],
  ])("fits no other: %s", (_what, other) => {
    expect(isSealOf(keys, sealOf(keys, place), { ...place, ...other })).toBe(false);
  });

  test("is made by the first key, fits each that is set, and no other; nor does what is none", () => {
    const made = sealOf(keys, place);
    expect(isSealOf(masterKeyset(`${second},${first}`, "audit log seals"), made, place)).toBe(true);
    expect(sealOf(masterKeyset(`${second},${first}`, "audit log seals"), place)).toEqual(
      sealOf(masterKeyset(second, "audit log seals"), place),
    );
    expect(isSealOf(masterKeyset(second, "audit log seals"), made, place)).toBe(false);
    // The id of the key says which, and proves nothing.
    const renamed = Buffer.concat([masterKeyset(second, "audit log seals")[0].id, made.subarray(4)]);
    expect(isSealOf(masterKeyset(second, "audit log seals"), renamed, place)).toBe(false);
    expect(isSealOf(masterKeyset(first, "audit log"), made, place)).toBe(false);
    for (const none of [
      null,
      Buffer.alloc(0),
      made.subarray(0, 4),
      made.subarray(0, 35),
      Buffer.concat([made, Buffer.alloc(1)]),
    ])
      expect(isSealOf(keys, none, place)).toBe(false);
  });
});

describe("the end that an entry makes", () => {
  const { tenantId, seq, hash } = place;
  const before = Buffer.alloc(32, 6);
  const last: SealedPlace = { of: "end", tenantId, seq: seq - 1, hash: before };
  const next = (sealedSeq: number | null, endSeal: Buffer | null, at = seq): Buffer | null =>
    nextEndSeal(keys, { tenantId, seq: at, hash }, { before, sealedSeq, endSeal });

  test("is sealed behind one that was, and where the log begins", () => {
    expect(next(seq - 1, sealOf(keys, last))).toEqual(sealOf(keys, place));
    expect(next(null, null, 1)).toEqual(sealOf(keys, { ...place, seq: 1 }));
  });

  test.each<[string, number | null, Buffer | null]>([
    ["no seal", null, null],
    ["a seal that fits no key", seq - 1, Buffer.alloc(36, 1)],
    ["another entry's seal", seq - 1, sealOf(keys, { ...last, seq: seq - 2 })],
    ["its seal, said to be of another entry", seq - 2, sealOf(keys, last)],
    ["the seal of a start", seq - 1, sealOf(keys, { ...last, of: "start" })],
  ])("is not sealed behind one with %s", (_what, sealedSeq, endSeal) => {
    expect(next(sealedSeq, endSeal)).toBeNull();
  });
});
