// A reading that many ask for and one makes.
import { expect, test, vi } from "vitest";
import { createShared } from "../shared-look";

test("a reading is joined while it is under way and for a moment after it began, and one that failed is made again", async () => {
  let nowMs = 0;
  const ends: ((outcome: number | Error) => void)[] = [];
  const read = vi.fn(
    () =>
      new Promise<number>((resolve, reject) =>
        ends.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))),
      ),
  );
  const shared = createShared(read, 2_000);
  const ask = (): Promise<number> => shared(nowMs);
  const first = ask();
  nowMs = 60_000;
  const joined = ask();
  ends[0]?.(1);
  expect([await first, await joined, read.mock.calls.length]).toEqual([1, 1, 1]);
  const second = ask();
  ends[1]?.(2);
  expect(await second).toBe(2);
  nowMs += 2_000;
  expect(await ask()).toBe(2);
  nowMs += 1;
  const third = ask();
  ends[2]?.(new Error("away"));
  await expect(third).rejects.toThrow("away");
  const fourth = ask();
  ends[3]?.(4);
  expect([await fourth, read.mock.calls.length]).toEqual([4, 4]);
});
