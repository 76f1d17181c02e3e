import { expect, test } from "vitest";
import { UnderWay } from "../under-way";

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
