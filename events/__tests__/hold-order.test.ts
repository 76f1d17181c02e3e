// What waited for a paused consumer comes in the order of its aggregate, and comes at all, whatever the topic does beside: brings it
// late, brings it once more, or could not be reached (migration 61).
import { describe, expect, it } from "vitest";
import { withTenant } from "../../db/tenant";
import { resumeConsumer } from "../consumer-desk";
import { redriveEvents } from "../dead-letters";
import { REDRIVE_CONSUMER } from "../topic";
import { detoursOf, rowsOf, stage, tenant } from "./direct-stage";
import { heldOf, moveAll, pause } from "./held-stage";

const REASON = "ticket 4712";

/** A consumer that the topic alone brings something to; it fails while it is `broken`. */
function byTopicOnly() {
  const seen: string[] = [];
  const state = { isBroken: false };
  const set = stage(
    async (tx, { payload: { organisationName: what } }) => {
      await tx.query("select 1");
      if (state.isBroken) throw new Error("not yet mended");
      seen.push(what);
    },
    { isHere: false },
  );
  return { ...set, seen, state };
}

describe("what waited for a consumer that was paused", () => {
  it("goes back only when nothing of its aggregate is on its way by the topic, which would be before it", async () => {
    const tenantId = tenant();
    const set = byTopicOnly();
    await set.emit(tenantId, ["p", 1], ["p", 2], ["q", 1]);
    await set.relayAll();
    const [first, second, other] = set.byTopic.splice(0);
    await pause(set.name);
    await set.handle(first!);
    await set.handle(other!);
    await resumeConsumer(set.name, REASON);
    await moveAll();
    expect(await heldOf(set.name)).toBe(1);
    await set.relayAll();
    await set.handle(second!);
    await moveAll();
    await set.relayAll();
    for (const delivered of set.byTopic) await set.handle(delivered);
    expect(set.seen).toEqual(["q1", "p1", "p2"]);
  });

  it("comes in its turn, whatever the topic brings once more that was put by since", async () => {
    const tenantId = tenant();
    const set = byTopicOnly();
    await set.emit(tenantId, ["p", 1], ["p", 2]);
    await set.relayAll();
    const [first, second] = set.byTopic.splice(0);
    for (const round of [1, 2]) {
      await pause(set.name);
      await set.handle(first!);
      await set.handle(second!);
      for (const delivered of set.byTopic.splice(0)) await set.handle(delivered);
      await resumeConsumer(set.name, REASON);
      await moveAll();
      // Back in the outbox, and then on the way by the topic.
      await set.handle(second!);
      await set.relayAll();
      await set.handle(second!);
      expect([set.seen, await detoursOf(set.name), round]).toEqual([[], 2, round]);
    }
    for (const delivered of set.byTopic) await set.handle(delivered);
    expect([set.seen, await detoursOf(set.name)]).toEqual([["p1", "p2"], 0]);
  });

  it("comes also when its way by the topic had been begun, and the topic was away", async () => {
    const tenantId = tenant();
    const set = byTopicOnly();
    set.setTopicAway(true);
    await set.emit(tenantId, ["p", 1]);
    await set.relayOnce();
    expect([set.topicNumbers(), await detoursOf(set.name)]).toEqual([[], 1]);
    await pause(set.name);
    set.setTopicAway(false);
    await set.relayAll();
    expect([await heldOf(set.name), await detoursOf(set.name)]).toEqual([1, 0]);
    await resumeConsumer(set.name, REASON);
    await moveAll();
    await set.relayAll();
    for (const delivered of set.byTopic) await set.handle(delivered);
    expect(set.seen).toEqual(["p1"]);
  });

  it("comes also when the topic had brought it once more, and it was put by again beside its copy", async () => {
    const tenantId = tenant();
    const set = byTopicOnly();
    await set.emit(tenantId, ["p", 1]);
    await set.relayAll();
    const [first] = set.byTopic.splice(0);
    await pause(set.name);
    await set.handle(first!);
    await resumeConsumer(set.name, REASON);
    await moveAll();
    // Its copy is in the outbox now.
    await pause(set.name);
    await set.handle(first!);
    await resumeConsumer(set.name, REASON);
    expect(await heldOf(set.name)).toBe(1);
    await set.relayAll();
    for (const delivered of set.byTopic.splice(0)) await set.handle(delivered);
    await moveAll();
    await set.relayAll();
    for (const delivered of set.byTopic) await set.handle(delivered);
    expect([set.seen, await heldOf(set.name), await detoursOf(set.name)]).toEqual([["p1"], 0, 0]);
  });

  it("as a dead letter that is sent again is handled, also when the topic had brought it to a paused consumer since", async () => {
    const tenantId = tenant();
    const set = byTopicOnly();
    await set.emit(tenantId, ["p", 1]);
    await set.relayAll();
    const [first] = set.byTopic.splice(0);
    const open = "select count(*)::int as n from events.dead_letter where consumer = $1 and redriven_at is null";
    set.state.isBroken = true;
    for (let n = 0; n < 20 && (await rowsOf(set.name, open)) === 0; n++)
      await set.handle(first!).catch(() => undefined);
    await pause(set.name);
    await set.handle(first!);
    await resumeConsumer(set.name, REASON);
    await moveAll();
    await set.relayAll();
    for (const delivered of set.byTopic.splice(0)) await set.handle(delivered);
    set.state.isBroken = false;
    const sent = await withTenant({ tenantId }, (tx) => redriveEvents(tx, { tenantId, filter: { source: set.name } }));
    expect(sent.count).toBe(1);
    await set.handle({ ...first!, headers: { ...first!.headers, [REDRIVE_CONSUMER]: set.name } });
    expect(set.seen).toEqual(["p1"]);
  });
});
