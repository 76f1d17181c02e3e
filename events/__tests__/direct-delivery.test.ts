// What the relay hands to consumers of its own process, and what goes by the topic instead.
import { describe, expect, it, vi } from "vitest";
import { DbError } from "../../db/errors";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { consumer } from "../consumer";
import { appendToOutbox } from "../outbox";
import * as scopes from "../scope-of-event";
import { REDRIVE_CONSUMER, REDRIVE_OF } from "../topic";
import { detoursOf, effectsOf, leave, rowsOf, stage, tenant } from "./direct-stage";

describe("from the relay to a consumer of its process", () => {
  it("go events of several organisations, each under its own, in the order of their aggregate, and none by the topic", async () => {
    const seen: string[] = [];
    const [a, b] = [tenant(), tenant()];
    const set = stage(async (tx, event) => {
      seen.push(event.payload.organisationName);
      expect([tx.tenantId, event.tenantId]).toEqual([event.payload.organisationId, event.payload.organisationId]);
      await leave(tx, set.name, event.payload.organisationName);
    });
    await set.emit(a, ["p", 1], ["q", 1], ["p", 2]);
    await set.emit(b, ["r", 1], ["r", 2]);
    await set.emit(a, ["p", 3]);
    await set.relayAll();
    expect(await effectsOf(set.name)).toEqual(["p1", "p2", "p3", "q1", "r1", "r2"]);
    expect(seen.filter((what) => what.startsWith("p"))).toEqual(["p1", "p2", "p3"]);
    expect(seen.filter((what) => what.startsWith("r"))).toEqual(["r1", "r2"]);
    expect([set.topicNumbers(), await detoursOf(set.name)]).toEqual([[], 0]);
  });

  it("a failing event goes by the topic with what follows it in its aggregate, and costs its neighbours nothing", async () => {
    const tenantId = tenant();
    let isBroken = true;
    const set = stage(async (tx, { payload: { organisationName: what } }) => {
      await leave(tx, set.name, what);
      if (what === "p2" && isBroken) throw new Error("the bug");
    });
    await set.emit(tenantId, ["p", 1], ["p", 2], ["q", 1], ["p", 3], ["q", 2]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([
      ["p1", "q1", "q2"],
      ["p2", "p3"],
    ]);
    const failed = "select attempts as n from events.inbox where consumer = $1 and processed_at is null";
    expect([await rowsOf(set.name, failed), await detoursOf(set.name)]).toEqual([1, 2]);

    // What comes later does not overtake, until the topic has brought what went before.
    await set.emit(tenantId, ["p", 4], ["q", 3]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([
      ["p1", "q1", "q2", "q3"],
      ["p2", "p3", "p4"],
    ]);
    isBroken = false;
    for (const message of set.byTopic.splice(0)) await set.handle(message);
    expect(await detoursOf(set.name)).toBe(0);
    await set.emit(tenantId, ["p", 5]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([
      ["p1", "p2", "p3", "p4", "p5", "q1", "q2", "q3"],
      [],
    ]);
  });

  it("what does not fit its contract is a dead letter at once, and those beside it are handled", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload }) => void (await leave(tx, set.name, payload.organisationName)));
    await set.emit(tenantId, ["p", 1]);
    await withTenant({ tenantId }, (tx) =>
      appendToOutbox(tx, {
        id: newId(),
        destination: set.name,
        tenantId,
        aggregateType: "user",
        aggregateId: "p",
        type: "auth.user.registered",
        version: 1,
        payload: { userId: "nobody" },
        headers: {},
      }),
    );
    await set.emit(tenantId, ["p", 2]);
    await set.relayAll();
    const dead = "select count(*)::int as n from events.dead_letter where consumer = $1 and reason = 'payload_invalid'";
    expect([await effectsOf(set.name), await rowsOf(set.name, dead), set.topicNumbers()]).toEqual([
      ["p1", "p2"],
      1,
      [],
    ]);
  });

  it("a slow consumer begins no more than its time allows: the rest goes by the topic, in order", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload }) => void (await leave(tx, set.name, payload.organisationName)), {
      times: { waitMs: 600_000, budgetMs: 0, limitMs: 60_000, restMs: 0 },
    });
    await set.emit(tenantId, ["p", 1], ["p", 2]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([[], ["p1", "p2"]]);
  });

  it("a row that was claimed before goes by the topic: it may have ended the process that had it", async () => {
    const tenantId = tenant();
    let calls = 0;
    const set = stage(async () => void calls++);
    set.setTopicAway(true);
    await set.emit(tenantId, ["p", 1]);
    await set.relayOnce();
    set.setTopicAway(false);
    await set.relayAll();
    expect([calls, set.topicNumbers()]).toEqual([1, ["p1"]]);
  });

  it("what goes by the topic while a process is new is not overtaken by what follows", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload }) => void (await leave(tx, set.name, payload.organisationName)));
    set.turn(false);
    await set.emit(tenantId, ["p", 1]);
    await set.relayAll();
    set.turn(true);
    await set.emit(tenantId, ["p", 2], ["q", 1]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([["q1"], ["p1", "p2"]]);
    for (const message of set.byTopic.splice(0)) await set.handle(message);
    expect([await effectsOf(set.name), await detoursOf(set.name)]).toEqual([["p1", "p2", "q1"], 0]);
  });

  it("nor is what only another version handles, or a redrive, by what follows in the same claim", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload }) => void (await leave(tx, set.name, payload.organisationName)));
    const append = (aggregateId: string, type: string, headers: Record<string, string>): Promise<void> =>
      withTenant({ tenantId }, async (tx) => {
        const about = { destination: set.name, tenantId, aggregateType: "user", aggregateId, version: 1, payload: {} };
        await appendToOutbox(tx, { id: newId(), type, headers, ...about });
      });
    await append("p", "test.of-another-version", {});
    const redriven = newId();
    await append("q", "auth.user.registered", { [REDRIVE_OF]: redriven, [REDRIVE_CONSUMER]: set.name });
    await set.emit(tenantId, ["p", 1], ["q", 1], ["r", 1]);
    await set.relayAll();
    expect(await effectsOf(set.name)).toEqual(["r1"]);
    expect(set.topicNumbers()).toEqual([undefined, "p1", undefined, "q1"]);
    const noted = "select count(*)::int as n from events.detour where consumer = $1 and event_id = ";
    expect(await rowsOf(set.name, `${noted}'${redriven}'`)).toBe(1);
  });

  it("of a statement's failure that its handler swallowed, the handler's own event is found guilty", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload: { organisationName: what } }) => {
      if (what === "p1") await tx.execute("select 1 / 0").catch(() => undefined);
      else await leave(tx, set.name, what);
    });
    await set.emit(tenantId, ["p", 1], ["q", 1], ["r", 1]);
    await set.relayAll();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([["q1", "r1"], ["p1"]]);
    const failed = "select count(*)::int as n from events.inbox where consumer = $1 and attempts > 0";
    expect(await rowsOf(set.name, failed)).toBe(1);
  });

  it("of what an event's handler emits and the database refuses, its own event is found guilty and none that follows it in the transaction", async () => {
    const tenantId = tenant();
    const foreign = tenant();
    const set = stage(async (tx, { payload: { organisationName: what } }) => {
      await leave(tx, set.name, what);
      // Sent with the statement of whoever comes next.
      const entry = { aggregateType: "x", aggregateId: newId(), type: "x", version: 1, payload: {}, headers: {} };
      if (what === "p1") await appendToOutbox(tx, { ...entry, id: newId(), destination: set.name, tenantId: foreign });
    });
    await set.emit(tenantId, ["p", 1], ["p", 2], ["p", 3], ["q", 1]);
    await set.relayAll();
    const failed = "select sum(attempts)::int as n from events.inbox where consumer = $1 and processed_at is null";
    expect([await rowsOf(set.name, failed), set.topicNumbers()]).toEqual([1, ["p1", "p2", "p3"]]);
    expect(await effectsOf(set.name)).toEqual(["q1"]);
  });

  it("of a database that is away nobody is found guilty: what it was to handle goes by the topic", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload }) => void (await leave(tx, set.name, payload.organisationName)));
    await set.emit(tenantId, ["p", 1]);
    vi.spyOn(scopes, "inScopeOf").mockRejectedValueOnce(new DbError("unavailable", "away"));
    await set.relayAll();
    vi.restoreAllMocks();
    expect([await effectsOf(set.name), set.topicNumbers()]).toEqual([[], ["p1"]]);
    const failed = "select count(*)::int as n from events.inbox where consumer = $1 and attempts > 0";
    expect(await rowsOf(set.name, failed)).toBe(0);
  });

  it("the note of what goes by the topic ends when its consumer passes the event over, or has had it meanwhile", async () => {
    const tenantId = tenant();
    const set = stage(async (tx, { payload }) => void (await leave(tx, set.name, payload.organisationName)));
    set.turn(false);
    await set.emit(tenantId, ["p", 1]);
    await set.relayAll();
    const [message] = set.byTopic.splice(0);
    await consumer(set.name, {}, { deliveryAttempt: () => 1 })(message!);
    expect([await effectsOf(set.name), await detoursOf(set.name)]).toEqual([[], 0]);
  });

  it("a consumer that another process has gets everything by the topic", async () => {
    const tenantId = tenant();
    let calls = 0;
    const set = stage(async () => void calls++, { isHere: false });
    await set.emit(tenantId, ["p", 1]);
    await set.relayAll();
    expect([calls, set.topicNumbers(), await detoursOf(set.name)]).toEqual([0, ["p1"], 1]);
    for (const message of set.byTopic) await set.handle(message);
    expect([calls, await detoursOf(set.name)]).toEqual([1, 0]);
  });
});
