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
      { times: { budgetMs: 20, limitMs: 50, restMs: 600_000 }, concurrency: 1 },
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
});
