import { expect, test } from "vitest";
import { BoundedTurns } from "../bounded-turns";
import { reason } from "./people";

test("no more than so many run at once, the others in their order, those beyond the line are refused at once", async () => {
  const turns = new BoundedTurns(2, 3);
  const ends: (() => void)[] = [];
  const begun: number[] = [];
  const work = (n: number): Promise<void> =>
    turns.run(() => {
      begun.push(n);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = [0, 1, 2, 3, 4].map(work);
  expect(await reason(work(5))).toBe("service_unavailable");
  expect(begun).toEqual([0, 1]);
  ends[1]?.();
  await all[1];
  expect(begun).toEqual([0, 1, 2]);
  all.push(work(6));
  for (let i = 0; i < 6; i++) {
    while (ends[i] === undefined) await Promise.resolve();
    ends[i]?.();
  }
  await Promise.all(all);
  expect(begun).toEqual([0, 1, 2, 3, 4, 6]);
});

test("who has failed less goes first, and has the place of who has failed most when the line is full", async () => {
  const turns = new BoundedTurns(1, 3);
  let end = (): void => undefined;
  const begun: string[] = [];
  const first = turns.run(() => new Promise<void>((resolve) => (end = resolve)));
  const work = (name: string, failures: number): Promise<unknown> =>
    turns.run(() => Promise.resolve(begun.push(name)), failures);
  const guessing = [work("one", 3), work("two", 7), work("three", 3)];
  const honest = work("honest", 0);
  expect(await reason(guessing[1]!)).toBe("service_unavailable");
  expect(await reason(work("four", 9))).toBe("service_unavailable");
  expect(await reason(work("five", 3))).toBe("service_unavailable");
  end();
  await Promise.all([first, honest, guessing[0], guessing[2]]);
  expect(begun).toEqual(["honest", "one", "three"]);
});

test("a turn whose work fails is given on", async () => {
  const turns = new BoundedTurns(1, 1);
  const failing = turns.run(() => Promise.reject(new Error("no")));
  const next = turns.run(() => Promise.resolve("done"));
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("done");
});
