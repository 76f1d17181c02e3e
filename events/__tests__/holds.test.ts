// A consumer that is paused: what is for it waits, whichever way it would have come, and comes in its order afterwards.
import { describe, expect, it } from "vitest";
import { events } from "~encore/clients";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { consumer } from "../consumer";
import { listConsumers, resumeConsumer, type ConsumerStanding } from "../consumer-desk";
import { Declarations, declarations } from "../declarations";
import { moveHeldOn } from "../hold-release";
import { Holds, holds } from "../holds";
import { appendToOutbox } from "../outbox";
import { UNKNOWN_EVENT_HOURS } from "../settle-failure";
import { DECLARATION_MINUTES } from "../store/declaration";
import { heldRelease, holdInsert } from "../store/hold";
import { outboxClaim, outboxSettle } from "../store/outbox";
import { REDRIVE_CONSUMER, REDRIVE_OF, type DomainEvent } from "../topic";
import { detoursOf, effectsOf, leave, rowsOf, stage, tenant } from "./direct-stage";
import { ANY, attemptsOf, heldOf, moveAll, pause } from "./held-stage";

const REASON = "ticket 4711: its database is moved";

const standingOf = async (name: string): Promise<ConsumerStanding | undefined> =>
  (await listConsumers()).find(({ consumer: other }) => other === name);

/** Leaves an effect, and remembers in which order. */
function recording(options: Parameters<typeof stage>[1] = {}) {
  const seen: string[] = [];
  const set = stage(async (tx, { payload: { organisationName: what } }) => {
    seen.push(what);
    await leave(tx, set.name, what);
  }, options);
  return { ...set, seen };
}

const message = (tenantId: string, aggregateId: string, change: Partial<DomainEvent> = {}): DomainEvent => ({
  id: newId(),
  tenantId,
  type: "auth.user.registered",
  version: 1,
  aggregateType: "user",
  aggregateId,
  payload: { userId: newId(), organisationId: newId(), organisationName: aggregateId },
  headers: {},
  occurredAt: new Date().toISOString(),
  ...change,
});

describe("a paused consumer", () => {
  it("gets nothing from the relay, others go on, and on resume it gets all that waited, in order and before what is new", async () => {
    const tenantId = tenant();
    const [set, other] = [recording(), recording()];
    await set.emit(tenantId, ["p", 1], ["q", 1]);
    await set.relayAll();
    await pause(set.name, REASON);
    await set.emit(tenantId, ["p", 2], ["q", 2], ["p", 3]);
    await set.relayAll();
    expect([await effectsOf(set.name), await effectsOf(other.name)]).toEqual([
      ["p1", "q1"],
      ["p1", "p2", "p3", "q1", "q2"],
    ]);
    expect([set.topicNumbers(), await attemptsOf(set.name), await detoursOf(set.name)]).toEqual([[], 0, 0]);
    expect(await standingOf(set.name)).toMatchObject({
      pausedSince: expect.any(Date) as Date,
      pausedBy: "system",
      pauseReason: REASON,
      waiting: 3,
      waitingSince: expect.any(Date) as Date,
    });
    expect([await moveHeldOn(ANY), await heldOf(set.name)]).toEqual([false, 3]);

    expect(await resumeConsumer(set.name, REASON)).toBe(true);
    // What waited is not in the outbox again yet: what is new of the same aggregate waits behind it.
    await set.emit(tenantId, ["p", 4], ["r", 1]);
    await set.relayAll();
    expect([set.seen.filter((what) => what !== "r1").length, set.seen.at(-1), await heldOf(set.name)]).toEqual([
      2,
      "r1",
      4,
    ]);
    await moveAll();
    await set.relayAll();
    expect(set.seen.filter((what) => what.startsWith("p"))).toEqual(["p1", "p2", "p3", "p4"]);
    expect(await effectsOf(set.name)).toEqual(["p1", "p2", "p3", "p4", "q1", "q2", "r1"]);
    expect(await effectsOf(other.name)).toEqual(["p1", "p2", "p3", "p4", "q1", "q2", "r1"]);
    expect([set.topicNumbers(), await heldOf(set.name)]).toEqual([[], 0]);
  });

  it("puts by what the topic still brings, tells it that it is done, and counts no attempt, also of what was lost with a process", async () => {
    const tenantId = tenant();
    const set = recording({ isHere: false });
    await set.emit(tenantId, ["p", 1], ["p", 2]);
    await set.relayAll();
    const [first, second] = set.byTopic.splice(0);
    expect(await detoursOf(set.name)).toBe(2);
    await pause(set.name, REASON);
    const again = consumer(
      set.name,
      { "auth.user.registered@1": () => Promise.reject(new Error("must not run")) },
      {
        deliveryAttempt: () => 5,
      },
    );
    await again(first!);
    expect([await heldOf(set.name), await attemptsOf(set.name), await detoursOf(set.name)]).toEqual([1, 0, 1]);

    // Resumed: what comes by the topic behind the one that waits is put by too, also where the pause is forgotten already.
    await resumeConsumer(set.name, REASON);
    await set.handle(second!);
    expect([set.seen, await heldOf(set.name), await detoursOf(set.name)]).toEqual([[], 2, 0]);
    await moveAll();
    await set.relayAll();
    expect(set.topicNumbers()).toEqual(["p1", "p2"]);
    for (const delivered of [...set.byTopic, first!]) await set.handle(delivered);
    expect([set.seen, await effectsOf(set.name)]).toEqual([
      ["p1", "p2"],
      ["p1", "p2"],
    ]);
  });

  it("that is paused again gets what it was sent by then in the order of the outbox, whatever came first", async () => {
    const tenantId = tenant();
    const set = recording({ isHere: false });
    await pause(set.name, REASON);
    await set.emit(tenantId, ["p", 1], ["p", 2]);
    await set.relayAll();
    await resumeConsumer(set.name, REASON);
    await moveAll();
    await set.relayAll();
    const [first, second] = set.byTopic.splice(0);
    await pause(set.name, REASON);
    await set.handle(first!);
    await resumeConsumer(set.name, REASON);
    await set.handle(second!);
    expect([set.seen, await heldOf(set.name)]).toEqual([[], 2]);
    await moveAll();
    await set.relayAll();
    for (const delivered of set.byTopic) await set.handle(delivered);
    expect(set.seen).toEqual(["p1", "p2"]);
  });

  it("handles what comes back while more of its aggregate waits: that comes after it", async () => {
    const tenantId = tenant();
    const set = recording({ isHere: false });
    await pause(set.name, REASON);
    await set.emit(tenantId, ["p", 1], ["p", 2]);
    await set.relayAll();
    await resumeConsumer(set.name, REASON);
    expect(await heldRelease(1, ANY)).toBe(1);
    await set.relayAll();
    for (const delivered of set.byTopic.splice(0)) await set.handle(delivered);
    expect([set.seen, await heldOf(set.name)]).toEqual([["p1"], 1]);
    await moveAll();
    await set.relayAll();
    for (const delivered of set.byTopic) await set.handle(delivered);
    expect(set.seen).toEqual(["p1", "p2"]);
  });

  it("gives up nothing for the time it waits: an event that no version knows yet", async () => {
    const tenantId = tenant();
    const set = recording();
    const unknown = message(tenantId, "p", { type: "auth.user.promoted" });
    await expect(set.handle(unknown)).rejects.toThrow("not in the catalogue");
    await systemQuery(
      "test",
      "update events.inbox set received_at = now() - $2 * interval '1 hour' where consumer = $1",
      [set.name, UNKNOWN_EVENT_HOURS + 1],
    );
    await pause(set.name, REASON);
    await set.handle(unknown);
    expect(await heldOf(set.name)).toBe(1);
    await resumeConsumer(set.name, REASON);
    await moveAll();
    await expect(set.handle(unknown)).rejects.toThrow("not in the catalogue");
    const dead = "select count(*)::int as n from events.dead_letter where consumer = $1";
    expect(await rowsOf(set.name, dead)).toBe(0);
  });

  it("is not sent what waits while a relay has something of the aggregate at hand that follows", async () => {
    const tenantId = tenant();
    const set = recording();
    await pause(set.name, REASON);
    await set.emit(tenantId, ["p", 1]);
    await set.relayAll();
    await set.emit(tenantId, ["p", 2]);
    const lease = newId();
    const claimed = await outboxClaim(set.destination, { limit: 10, depth: 1 }, lease, 600_000, []);
    await resumeConsumer(set.name, REASON);
    expect([claimed.length, await heldRelease(500, ANY), await heldOf(set.name)]).toEqual([1, 0, 1]);
    const keys = claimed.map(({ aggregateKey }) => aggregateKey);
    const released = claimed.map(({ id }) => id);
    await outboxSettle(lease, { keys, published: [], failed: [], dead: [], released });
    expect(await heldRelease(500, ANY)).toBe(1);
    await set.relayAll();
    expect(set.seen).toEqual(["p1", "p2"]);
  });

  it("that no version has which runs is sent nothing that waits until one has", async () => {
    const set = recording();
    const seenAgo = (seconds: number) =>
      systemQuery(
        "test",
        "update events.consumer_declaration set seen_at = now() - $2 * interval '1 second' where consumer = $1",
        [set.name, seconds],
      );
    await pause(set.name, REASON);
    await set.emit(tenant(), ["p", 1]);
    await set.relayAll();
    await resumeConsumer(set.name, REASON);
    await seenAgo(DECLARATION_MINUTES * 60 + 1);
    await moveAll();
    await set.relayAll();
    expect([set.seen, await heldOf(set.name)]).toEqual([[], 1]);
    await seenAgo(DECLARATION_MINUTES * 60 - 30);
    await moveAll();
    await set.relayAll();
    expect(set.seen).toEqual(["p1"]);
  });

  it("that no version has which runs keeps its dead letters that are sent again, until one has", async () => {
    const tenantId = tenant();
    const set = recording();
    const name = `away-${newId()}`;
    const headers = { [REDRIVE_OF]: newId(), [REDRIVE_CONSUMER]: name };
    const { payload, ...about } = message(tenantId, "p");
    await withTenant({ tenantId }, (tx) =>
      appendToOutbox(tx, {
        ...about,
        id: newId(),
        destination: set.destination,
        tenantId,
        aggregateId: "p",
        payload,
        headers,
      }),
    );
    await set.relayAll();
    await moveAll();
    expect([await heldOf(name), await detoursOf(name), set.seen]).toEqual([1, 0, []]);
    const next = new Declarations();
    next.declare(name, ["auth.user.registered@1"]);
    for (const each of [next, declarations]) await each.refresh();
    await moveAll();
    await set.relayAll();
    expect([await heldOf(name), await detoursOf(name), set.seen]).toEqual([0, 1, []]);
  });

  it("is sent what waits of other aggregates while a relay has one of them at hand, and waits for no other consumer's backlog", async () => {
    const tenantId = tenant();
    const [busy, set] = [recording(), recording()];
    for (const { name } of [busy, set]) await pause(name, REASON);
    await busy.emit(tenantId, ["p", 1], ["p", 2], ["p", 3], ["q", 1], ["r", 1]);
    await busy.relayAll();
    await set.emit(tenantId, ["s", 1], ["s", 2]);
    await set.relayAll();
    const waiting = async () => [await heldOf(busy.name), await heldOf(set.name)];
    // Each consumer's own relay tells the other's what it publishes: what is for both waits for both.
    const before = await waiting();
    await busy.emit(tenantId, ["p", 4]);
    const claimed = await outboxClaim(busy.destination, { limit: 10, depth: 1 }, newId(), 600_000, []);
    for (const { name } of [busy, set]) await resumeConsumer(name, REASON);
    expect([claimed.length, await heldRelease(4, ANY)]).toEqual([1, 4]);
    expect(await waiting()).toEqual(before.map((count) => count - 2));
    const released = await systemQuery<{ about: string }>(
      "test",
      "select distinct aggregate_id as about from events.outbox where headers ->> 'redrive-consumer' = any($1)",
      [[busy.name, set.name]],
    );
    expect(released.map(({ about }) => about)).not.toContain("p");
    await systemQuery("test", "delete from events.held where consumer = any($1)", [[busy.name, set.name]]);
  });

  it("gets back nothing while the backlog of what is new is long", async () => {
    const tenantId = tenant();
    const set = recording();
    await set.handle(message(tenantId, "q"));
    await pause(set.name, REASON);
    await set.handle(message(tenantId, "p"));
    await resumeConsumer(set.name, REASON);
    expect([await heldRelease(500, 0), await heldRelease(500, ANY)]).toEqual([0, 1]);
  });

  it("is known to another replica within a second, and stays what it was where that cannot be read", async () => {
    let nowMs = 0;
    const replica = new Holds(() => nowMs);
    const name = `held-${newId()}`;
    expect(await replica.isHeld(name)).toBe(false);
    await withSystem("test", (tx) =>
      holdInsert(tx, { consumer: name, cause: "pause", reason: REASON, actor: "system" }),
    );
    nowMs = 999;
    expect(await replica.isHeld(name)).toBe(false);
    nowMs = 1_000;
    expect(await replica.isHeld(name)).toBe(true);
    await systemQuery("test", "delete from events.consumer_hold where consumer = $1", [name]);
    holds.forget();
  });

  it("is paused and resumed by operators with a reason that the installation's log keeps, and by nobody else", async () => {
    const set = recording();
    await declarations.refresh();
    const operator = (scope: string) => ({
      authData: { userID: newId(), kind: "operator" as const, scope, authTime: String(Date.now() / 1000) },
    });
    const staff = operator("operator.consumer.read operator.consumer.manage");
    const to = { name: set.name, reason: REASON };
    expect(await events.pauseEvents(to, staff)).toEqual({ changed: true });
    expect(await events.pauseEvents(to, staff)).toEqual({ changed: false });
    const { consumers } = await events.operatorConsumers(staff);
    expect(consumers.find(({ name }) => name === set.name)).toEqual({
      name: set.name,
      declared: true,
      paused: true,
      pausedSince: expect.any(String) as string,
      pausedBy: `operator:${staff.authData.userID}`,
      pauseReason: REASON,
      waiting: 0,
    });
    expect(await events.resumeEvents(to, staff)).toEqual({ changed: true });
    expect(await events.resumeEvents(to, staff)).toEqual({ changed: false });
    const entries = await systemQuery(
      "test",
      "select action, actor, fields from audit.entry where target_type = 'consumer' and target_id = $1 order by seq",
      [set.name],
    );
    const actor = `operator:${staff.authData.userID}`;
    expect(entries).toEqual([
      { action: "events.consumer.paused", actor, fields: { reason: REASON } },
      { action: "events.consumer.resumed", actor, fields: { reason: REASON } },
    ]);

    await expect(events.pauseEvents({ name: set.name, reason: "" }, staff)).rejects.toThrow();
    const nobody = { code: "not_found", details: { reason: "consumer_not_found" } };
    await expect(events.pauseEvents({ name: newId(), reason: REASON }, staff)).rejects.toMatchObject(nobody);
    const owner = { authData: { userID: newId(), tenantId: tenant(), role: "owner" as const } };
    for (const caller of [operator("operator.consumer.read"), owner])
      await expect(events.pauseEvents(to, caller)).rejects.toMatchObject({ code: "permission_denied" });
  });
});
