import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fairShare, UnderWay } from "../under-way";

test("what is under way is bounded for one and in all; what has ended makes room, once however often it is told", () => {
  const underWay = new UnderWay({ ofOne: 2, inAll: 3 });
  const first = underWay.enter("a");
  expect(underWay.enter("a")).toBeDefined();
  expect(underWay.enter("a")).toBeUndefined();
  expect(underWay.enter("b", 0)).toBeUndefined();
  expect(underWay.enter("b")).toBeDefined();
  expect([underWay.enter("c"), underWay.inAll]).toEqual([undefined, 3]);
  first?.();
  first?.();
  expect(underWay.inAll).toBe(2);
  expect(underWay.enter("c")).toBeDefined();
  expect(underWay.enter("a")).toBeUndefined();
});

test("who has nothing under way any more is forgotten", () => {
  const underWay = new UnderWay({ ofOne: 1, inAll: 10 });
  for (const who of ["a", "b", "a"]) underWay.enter(who)?.();
  expect(underWay).toMatchObject({ counts: new Map(), inAll: 0 });
});

describe("a fair share", () => {
  const maxes = fc
    .record({ ofOne: fc.integer({ min: 1, max: 40 }), inAll: fc.integer({ min: 4, max: 400 }) })
    .filter(({ ofOne, inAll }) => ofOne < inAll);
  const enterAll = (underWay: UnderWay, who: string): (() => void)[] => {
    const leaves: (() => void)[] = [];
    for (let leave = underWay.enterFairly(who); leave; leave = underWay.enterFairly(who)) leaves.push(leave);
    return leaves;
  };

  test("falls with what is under way, from all that one may have to one", () => {
    const room = { ofOne: 20, inAll: 200 };
    expect([0, 130, 131, 140, 149, 150, 199].map((inAll) => fairShare(room, inAll))).toEqual([20, 20, 19, 10, 1, 1, 1]);
    expect(fairShare({ ofOne: 3, inAll: Infinity }, 1_000)).toBe(3);
    fc.assert(
      fc.property(maxes, (max) => {
        const shares = Array.from({ length: max.inAll }, (_, inAll) => fairShare(max, inAll));
        expect(shares).toEqual(shares.toSorted((a, b) => b - a));
        expect([Math.min(...shares), Math.max(...shares) <= max.ofOne]).toEqual([1, true]);
      }),
    );
  });

  test("of a newcomer is that of the others as soon as what they had has ended, though they ask for all they may at once", () => {
    fc.assert(
      fc.property(maxes, fc.integer({ min: 1, max: 12 }), fc.infiniteStream(fc.nat()), (max, others, random) => {
        const underWay = new UnderWay(max);
        const had = Array.from({ length: others }, (_, n) => enterAll(underWay, `${n}`)).flat();
        let newcomers = 0;
        while (had.length > 0) {
          had.splice((random.next().value as number) % had.length, 1)[0]?.();
          for (let n = 0; n < others; n++) enterAll(underWay, `${n}`);
          newcomers += enterAll(underWay, "new").length;
        }
        const share = Math.min(max.ofOne, Math.floor((max.inAll * 0.75) / (others + 2)));
        expect(newcomers).toBeGreaterThanOrEqual(share);
      }),
      { numRuns: 500 },
    );
  });

  test("of five who have all that they may leaves the sixth nearly as much; many who never end fill it only one by one", () => {
    const underWay = new UnderWay({ ofOne: 20, inAll: 200 });
    const had = Array.from({ length: 10 }, (_, n) => enterAll(underWay, `${n}`).length);
    expect(had).toEqual([20, 20, 20, 20, 20, 20, 15, 8, 4, 2]);
    expect(Array.from({ length: 51 }, (_, n) => enterAll(underWay, `late ${n}`).length)).toEqual(
      Array.from({ length: 51 }, () => 1),
    );
    expect(enterAll(underWay, "full")).toEqual([]);
  });
});
