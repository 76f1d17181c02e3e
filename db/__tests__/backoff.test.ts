import { describe, expect, it } from "vitest";
import { backoffMs, type Backoff } from "../backoff";

const delays = (backoff: Backoff, random: number): number[] =>
  [1, 2, 3, 10, 1000].map((attempt) => backoffMs(backoff, attempt, () => random));

describe("the back-off", () => {
  it("doubles up to its ceiling", () => {
    expect(delays({ firstMs: 100, maxMs: 1_000 }, 0)).toEqual([100, 200, 400, 1_000, 1_000]);
  });

  it("is shortened by its jitter at most, which is half when nobody says otherwise", () => {
    expect(delays({ firstMs: 100, maxMs: 1_000 }, 1)).toEqual([50, 100, 200, 500, 500]);
    expect(delays({ firstMs: 100, maxMs: 1_000, jitter: 0 }, 1)).toEqual([100, 200, 400, 1_000, 1_000]);
    expect(delays({ firstMs: 100, maxMs: 1_000, jitter: 1 }, 1)).toEqual([0, 0, 0, 0, 0]);
  });
});
