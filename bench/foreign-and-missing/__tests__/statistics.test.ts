import { describe, expect, test } from "vitest";
import { randomFrom } from "../../../runtime/pubsub/__tests__/support/seed";
import { compareTimes, isTold, rankScore, together } from "../statistics";

/** Times as a server has them: skewed, one of fifty far off. */
function times(seed: number, count: number, delay = 0): number[] {
  const next = randomFrom(seed);
  return Array.from(
    { length: count },
    () => 1_000 + delay - 150 * Math.log(1 - next()) + (next() < 0.02 ? 20_000 * next() : 0),
  );
}

describe("two samples of times", () => {
  test("of one distribution are not told apart, whatever the seed", () => {
    for (let seed = 1; seed <= 40; seed++)
      expect(isTold(compareTimes(times(seed, 1_000), times(seed + 1_000, 1_000))), `seed ${seed}`).toBe(false);
  });

  test("that differ by a fifth of their spread are, by both statistics and with the right sign", () => {
    const slower = compareTimes(times(1, 2_000, 50), times(2, 2_000));
    expect(slower.t).toBeGreaterThan(4.5);
    expect(slower.z).toBeGreaterThan(4.5);
    expect(slower.differenceMicros).toBeGreaterThan(25);
    const faster = compareTimes(times(1, 2_000), times(2, 2_000, 50));
    expect(faster.t).toBeLessThan(-4.5);
    expect(faster.z).toBeLessThan(-4.5);
  });

  test("are told by ranks where a few far ones hide it from the mean, and equal ones are no difference", () => {
    // By hand: ranks of the first 1, 2.5, 5; U = 2.5 of 9, variance 9/12 × (7 − 6/30).
    expect(rankScore([1, 2, 4], [2, 3, 5])).toBeCloseTo((8.5 - 6 - 4.5) / Math.sqrt((9 / 12) * (7 - 6 / 30)), 10);
    expect(rankScore([7, 7], [7, 7])).toBe(0);
  });

  test("many small differences of one direction add up, those of both do not", () => {
    expect(together(Array.from({ length: 25 }, () => 1))).toBe(5);
    expect(together([3, -3, 2, -2])).toBe(0);
  });
});
