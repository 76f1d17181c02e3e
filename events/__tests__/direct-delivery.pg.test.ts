// A handler that holds its transaction open: on native Postgres only, the embedded one has a single session.
import { describe, expect, it } from "vitest";
import { detoursOf, effectsOf, leave, stage, tenant } from "./direct-stage";

describe("from the relay to a consumer of its process", () => {
  it("a consumer that does not end is left to the topic, its events act once, and another consumer's are not held up", async () => {
    const tenantId = tenant();
    let release!: () => void;
    const hangs = new Promise<void>((resolve) => (release = resolve));
    let isFirst = true;
    const set = stage(
      async (tx, { payload: { organisationName: what } }) => {
        await leave(tx, set.name, what);
        if (isFirst) {
          isFirst = false;
          await hangs;
        }
      },
      { times: { waitMs: 600_000, budgetMs: 20, limitMs: 50, restMs: 600_000 }, concurrency: 1 },
    );
    await set.emit(tenantId, ["p", 1], ["p", 2], ["q", 1]);
    await set.relayAll();
    await set.emit(tenantId, ["q", 2]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers(), await detoursOf(set.name)]).toEqual([
      [],
      ["p1", "p2", "q1", "q2"],
      4,
    ]);
    release();
    for (const message of set.byTopic) await set.handle(message);
    expect([await effectsOf(set.name), await detoursOf(set.name)]).toEqual([["p1", "p2", "q1", "q2"], 0]);
  });

  it.each([
    { waitedMs: 100, direct: ["p1", "q1"], byTopic: [] },
    { waitedMs: 101, direct: ["p1"], byTopic: ["q1"] },
  ])(
    "a hand-over that waited $waitedMs ms of 101 for those before it, which is none of its own time: $byTopic go by the topic",
    async ({ waitedMs, direct, byTopic }) => {
      const tenantId = tenant();
      let release!: () => void;
      const held = new Promise<void>((resolve) => (release = resolve));
      let begin!: () => void;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      let clockMs = 0;
      let looks = 0;
      const set = stage(
        async (tx, { payload: { organisationName: what } }) => {
          await leave(tx, set.name, what);
          begin();
          if (what === "p1") await held;
        },
        { times: { waitMs: 101, budgetMs: 1, limitMs: 600_000, restMs: 0 }, nowMs: () => (looks++, clockMs) },
      );
      await set.emit(tenantId, ["p", 1]);
      const first = set.relayOnce();
      await begun;
      await set.emit(tenantId, ["q", 1]);
      const looksBefore = looks;
      const second = set.relayOnce();
      // Once to see whether the consumer rests, and once when the wait begins.
      await expect.poll(() => looks - looksBefore).toBeGreaterThanOrEqual(2);
      clockMs = waitedMs;
      release();
      await Promise.all([first, second]);
      expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([direct, byTopic]);
    },
  );
});
