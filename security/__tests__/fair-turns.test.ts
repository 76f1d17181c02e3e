// Things outside that hang, by a clock of the test's own: whom they keep waiting, and for how long.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { reasonOf } from "../errors";
import { FairTurns, RestingError, type FairTurnsMax } from "../fair-turns";

let nowMs: number;
let turns: FairTurns;
beforeEach(() => {
  nowMs = 1_000;
  const lines: FairTurnsMax["lines"] = {
    untried: { ofOne: 2, inAll: 16 },
    prompt: { ofOne: 4, inAll: 64 },
    slow: { ofOne: 2, inAll: 16 },
    silent: { ofOne: 1, inAll: 4 },
  };
  turns = new FairTurns({ lines, waitingOfOne: 2, waitMsMax: 5_000, silentAfterMs: 3_000 }, () => nowMs);
});
afterEach(() => void vi.useRealTimers());

interface Asked {
  told: Promise<string>;
  end: (error?: Error) => void;
  hasBegun: () => boolean;
  isCut: () => boolean;
}
/** `done`, the reason of an APIError, or the name of another error. */
function ask(who: string, signals?: AbortSignal[]): Asked {
  let hasBegun = false;
  let end!: Asked["end"];
  const ended = new Promise<void>((resolve, reject) => (end = (error) => (error ? reject(error) : resolve())));
  void ended.catch(() => undefined);
  let cut: AbortSignal | undefined;
  const work = (given: AbortSignal): Promise<void> => ((hasBegun = true), (cut = given), ended);
  const told = turns.run(who, work, signals).then(
    () => "done",
    (error: unknown) => reasonOf(error) ?? (error as Error).name,
  );
  return { told, end, hasBegun: () => hasBegun, isCut: () => cut?.aborted === true };
}
async function answer(who: string, afterMs = 0): Promise<string> {
  const asked = ask(who);
  nowMs += afterMs;
  asked.end();
  return asked.told;
}
async function hang(who: string): Promise<void> {
  const asked = ask(who);
  nowMs += 5_000;
  asked.end(new Error("given up"));
  expect(await asked.told).toBe("Error");
}
const begun = (asked: readonly Asked[]): number => asked.filter(({ hasBegun }) => hasBegun()).length;

describe("those whose thing hangs", () => {
  test("take nothing of those who answer, however many they are", async () => {
    for (let i = 0; i < 8; i++) expect(await answer(`good${i}`)).toBe("done");
    const hung = Array.from({ length: 40 }, (_, i) => ask(`bad${i}`));
    expect(begun(hung)).toBe(16);
    expect(await hung[16]?.told).toBe("service_unavailable");
    const good = Array.from({ length: 8 }, (_, i) => ask(`good${i}`));
    expect(begun(good)).toBe(8);
    for (const asked of [...hung, ...good]) asked.end();
  });

  test("answered before, and hang all at once: each has one turn, and there are some for others", async () => {
    for (let i = 0; i < 25; i++) await answer(`${i}`);
    const hung = Array.from({ length: 24 }, (_, i) => Array.from({ length: 4 }, () => ask(`${i}`))).flat();
    // Twelve have the three quarters that are for several, the others one each.
    expect(begun(hung)).toBe(11 * 4 + 2 + 12);
    const other = ask("24");
    expect(other.hasBegun()).toBe(true);
    for (const asked of [...hung, other]) asked.end();
  });

  test("fill a line that they answered in a moment ago for a second: past it each makes room for whoever comes", async () => {
    for (let i = 0; i < 67; i++) expect(await answer(`${i}`)).toBe("done");
    const hung = Array.from({ length: 64 }, (_, i) => ask(`${i}`));
    expect(begun(hung)).toBe(64);
    nowMs += 999;
    const early = await turns.run("64", () => Promise.resolve()).catch((error: unknown) => error);
    expect(early).toMatchObject({ details: { reason: "service_unavailable", retryAfterSeconds: 1 } });
    nowMs += 1;
    expect(await answer("64")).toBe("done");
    // That one's own place is free now; each of the others gives up one, and whoever has one takes no other's.
    const several = ["64", "65", "66", "66"].map((who) => ask(who));
    expect(several.map(({ hasBegun }) => hasBegun())).toEqual([true, true, true, false]);
    // The oldest of them were told, and rest.
    expect(hung.map(({ isCut }) => isCut())).toEqual(Array.from({ length: 64 }, (_, i) => i < 3));
    for (const asked of [...hung, ...several]) asked.end(new Error("aborted"));
    expect(await Promise.all(hung.slice(0, 4).map(({ told }) => told))).toEqual([
      ...["RestingError", "RestingError", "RestingError"],
      "Error",
    ]);
    expect(await ask("0").told).toBe("RestingError");
  });

  test("are left the time of the slow where they answered slowly, or are tried again", async () => {
    for (let i = 0; i < 16; i++) await answer(`slow${i}`, 1_500);
    await answer("late", 1_500);
    const slow = Array.from({ length: 16 }, (_, i) => ask(`slow${i}`));
    nowMs += 2_999;
    expect(await ask("late").told).toBe("service_unavailable");
    nowMs += 1;
    const late = ask("late");
    expect([late.hasBegun(), slow[0]?.isCut(), slow[1]?.isCut()]).toEqual([true, true, false]);
    for (const asked of [...slow, late]) asked.end();
    // What answers all the same has answered.
    expect(await slow[0]?.told).toBe("done");
  });

  test("are left alone twice as long each time, half a minute at most, then by one at a time, until they answer", async () => {
    for (const restMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await hang("a");
      nowMs += restMs - 1;
      const refused = await turns.run("a", () => Promise.resolve()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ retryAfterSeconds: 1 });
      expect(refused).toBeInstanceOf(RestingError);
      nowMs += 1;
    }
    const trial = ask("a");
    expect(await ask("a").told).toBe("RestingError");
    trial.end();
    expect(await trial.told).toBe("done");
    const several = [ask("a"), ask("a"), ask("a")];
    expect(begun(several)).toBe(3);
    for (const asked of several) asked.end();
    await Promise.all(several.map(({ told }) => told));
    // What hung is not forgotten by one answer, but by time.
    await hang("a");
    nowMs += 29_999;
    expect(await ask("a").told).toBe("RestingError");
    nowMs += 10 * 60_000;
    await hang("a");
    nowMs += 1_000;
    expect(await answer("a")).toBe("done");
  });

  test("several at once are one silence, and who waits behind them is told at once", async () => {
    await answer("a");
    const hung = Array.from({ length: 4 }, () => ask("a"));
    const behind = [ask("a"), ask("a")];
    expect(await ask("a").told).toBe("service_unavailable");
    nowMs += 5_000;
    for (const asked of hung) asked.end(new Error("given up"));
    expect(await Promise.all(behind.map(({ told }) => told))).toEqual(["RestingError", "RestingError"]);
    await Promise.all(hung.map(({ told }) => told));
    nowMs += 1_000;
    expect(await answer("a")).toBe("done");
  });

  test("have few turns together, when they are tried again", async () => {
    for (let i = 0; i < 8; i++) await hang(`${i}`);
    nowMs += 60_000;
    const trials = Array.from({ length: 8 }, (_, i) => ask(`${i}`));
    expect(begun(trials)).toBe(4);
    expect(await trials[7]?.told).toBe("service_unavailable");
    for (const trial of trials) trial.end();
  });
});

describe("whoever wants more than theirs", () => {
  test("waits behind their own, in order, and no more than so many", async () => {
    await answer("a");
    const own = Array.from({ length: 6 }, () => ask("a"));
    expect(begun(own)).toBe(4);
    expect(await ask("a").told).toBe("service_unavailable");
    own[2]?.end();
    await own[2]?.told;
    await expect.poll(() => begun(own)).toBe(5);
    expect(own[5]?.hasBegun()).toBe(false);
    for (const asked of own) asked.end();
    expect(await Promise.all(own.map(({ told }) => told))).toEqual(Array.from({ length: 6 }, () => "done"));
  });

  test("waits so long and no longer, and may come again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await answer("a");
    const own = Array.from({ length: 4 }, () => ask("a"));
    const behind = [ask("a"), ask("a")];
    await vi.advanceTimersByTimeAsync(4_999);
    own[0]?.end();
    await own[0]?.told;
    await vi.advanceTimersByTimeAsync(1);
    expect(await behind[1]?.told).toBe("service_unavailable");
    expect([behind[0]?.hasBegun(), behind[1]?.hasBegun()]).toEqual([true, false]);
    for (const asked of [...own, ...behind]) asked.end();
    expect(await behind[0]?.told).toBe("done");
    expect([await answer("a"), vi.getTimerCount()]).toEqual(["done", 0]);
  });

  test("is not asked for any more when their time was up meanwhile, which says nothing of what they wanted", async () => {
    await answer("a");
    const own = Array.from({ length: 4 }, () => ask("a"));
    const leaving = new AbortController();
    const late = ask("a", [leaving.signal]);
    leaving.abort();
    own[0]?.end();
    expect([await late.told, late.hasBegun()]).toEqual(["AbortError", false]);
    for (const asked of own) asked.end();
    await Promise.all(own.map(({ told }) => told));
    expect(await answer("a")).toBe("done");
  });
});

test("what fails after a while hung; what fails soon by itself did not", async () => {
  await hang("a");
  expect(await ask("a").told).toBe("RestingError");
  const refused = ask("b");
  refused.end(new Error("connection refused"));
  await refused.told;
  expect(await answer("b")).toBe("done");
});

test("whoever's time was mostly over when their turn came says nothing of one that answers slowly", async () => {
  expect(await answer("a", 1_200)).toBe("done");
  const leaving = new AbortController();
  const cut = ask("a", [leaving.signal]);
  nowMs += 2_999;
  leaving.abort();
  cut.end(new Error("aborted"));
  expect(await cut.told).toBe("Error");
  expect(await answer("a", 1_200)).toBe("done");
  const hung = ask("a", [leaving.signal]);
  expect(await hung.told).toBe("AbortError");
  const again = new AbortController();
  const late = ask("a", [again.signal]);
  nowMs += 3_000;
  again.abort();
  late.end(new Error("aborted"));
  await late.told;
  expect(await ask("a").told).toBe("RestingError");
});

test("whoever answers one request and lets the next hang is silent in the end", async () => {
  await answer("a");
  const cut = async (): Promise<string> => {
    const leaving = new AbortController();
    const asked = ask("a", [leaving.signal]);
    nowMs += 2_000;
    leaving.abort();
    asked.end(new Error("aborted"));
    return asked.told;
  };
  for (let i = 0; i < 15; i++) expect(await cut()).toBe("Error");
  await answer("a");
  for (let i = 0; i < 16; i++) expect(await cut()).toBe("Error");
  expect(await cut()).toBe("RestingError");
});

test("what ends after the rest, but was under way when it fell silent, is the same silence", async () => {
  await answer("a");
  const [first, second] = [ask("a"), ask("a")];
  nowMs += 5_000;
  first.end(new Error("given up"));
  await first.told;
  nowMs += 1_500;
  second.end(new Error("given up"));
  await second.told;
  expect(await answer("a")).toBe("done");
});

test("who had a turn already goes before those who had none", async () => {
  await answer("a");
  const own = Array.from({ length: 4 }, () => ask("a"));
  const use = new AbortController().signal;
  own[0]?.end();
  await own[0]?.told;
  const first = ask("a", [use]);
  const other = ask("a");
  first.end();
  await expect.poll(() => other.hasBegun()).toBe(true);
  const behind = ask("a");
  const next = ask("a", [use]);
  other.end();
  await expect.poll(() => next.hasBegun()).toBe(true);
  expect(behind.hasBegun()).toBe(false);
  for (const asked of [...own, behind, next]) asked.end();
});

test("those who answer slowly have turns of their own, and are with the prompt ones once they are", async () => {
  for (let i = 0; i < 20; i++) expect(await answer(`slow${i}`, 3_000)).toBe("done");
  const slow = Array.from({ length: 20 }, (_, i) => ask(`slow${i}`));
  expect(begun(slow)).toBe(16);
  expect(await answer("new")).toBe("done");
  for (const asked of slow) asked.end();
  await Promise.all(slow.map(({ told }) => told));
  const prompt = Array.from({ length: 16 }, (_, i) => ask(`slow${i}`));
  expect(begun(prompt)).toBe(16);
  for (const asked of prompt) asked.end();
});

test("keeps nothing of whom nobody asks for, and a bounded number of the others", async () => {
  const several = Array.from({ length: 4 }, () => ask("a"));
  for (const asked of several) asked.end();
  expect(await Promise.all(several.map(({ told }) => told))).toEqual(Array.from({ length: 4 }, () => "done"));
  for (let i = 0; i < 5_000; i++) await answer(`${i}`);
  const { seen, waiting } = turns as unknown as { seen: { size: number }; waiting: Map<string, unknown> };
  expect([seen.size <= 4_000, waiting.size]).toEqual([true, 0]);
});
