import { expect, test } from "vitest";
import { inTurns } from "../in-turns";

test("after ten somebody else has a turn, and all come out in order", async () => {
  let turns = 0;
  const count = (): void => void (turns++, (next = setImmediate(count)));
  let next = setImmediate(count);
  const seen = await inTurns(
    Array.from({ length: 35 }, (_, at) => at),
    (at) => ({ at, turns }),
  );
  clearImmediate(next);
  expect(seen.map(({ at }) => at)).toEqual(Array.from({ length: 35 }, (_, at) => at));
  expect([9, 10, 20, 30].map((at) => seen[at]!.turns > seen[Math.max(0, at - 10)]!.turns)).toEqual([
    ...[false, true, true, true],
  ]);
});
