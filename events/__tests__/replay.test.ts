// What happened in a span of time once more to one consumer.
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { events } from "~encore/clients";
import { newId } from "../../db/ids";
import { systemQuery, withSystem } from "../../db/tenant";
import type { TenantId } from "../../security/principal";
import { consumer, localConsumers } from "../consumer";
import { endReplayByCommand, followReplay, replayByCommand } from "../consumer-commands";
import { pauseConsumer, replayEvents, resumeConsumer } from "../consumer-desk";
import { declarations } from "../declarations";
import { moveHeldOn } from "../hold-release";
import { LEASE_MS } from "../relay";
import { OUTBOX_DAYS } from "../retention";
import { heldRelease } from "../store/hold";
import { outboxPurge } from "../store/outbox";
import { replayFind, replayLoad } from "../store/replay";
import type { DomainEvent } from "../topic";
import { effectsOf, leave, rowsOf, tenant } from "./direct-stage";
import { ANY, heldOf, moveAll } from "./held-stage";
import { deliverTo, relayAll } from "./redrive-after-fix";

const REASON = "ticket 4712: its read model was lost";
const HOUR_MS = 3_600_000;
const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * HOUR_MS);

/** `at hand`, `not published`: its relay has not noted that it was handed over. */
type Kind = "auth.user.registered" | "auth.email.verified" | "at hand" | "not published";

/** A consumer of its own, events that it handled some hours ago, and a topic that brings what the relay publishes. */
async function handled(tenantId: TenantId, ...past: (readonly [hours: number, what: string, kind?: Kind])[]) {
  const name = `replayed-${newId()}`;
  const seen: string[] = [];
  const ids = new Map<string, string>();
  const messages: DomainEvent[] = [];
  const handle = consumer(
    name,
    {
      "auth.user.registered@1": async (tx, { id, payload: { organisationName: what } }) => {
        seen.push(what);
        expect(id).toBe(ids.get(what));
        await leave(tx, name, what);
      },
      "auth.email.verified@1": async (tx, { id }) => {
        seen.push("verified");
        await leave(tx, name, id);
      },
    },
    { deliveryAttempt: () => 1 },
  );
  onTestFinished(() => void localConsumers.delete(name));
  await declarations.refresh();
  const brought: DomainEvent[] = [];
  deliverTo(tenantId, async (message) => {
    brought.push(message);
    await handle(message);
  });
  for (const [hours, what, kind = "auth.user.registered"] of past) {
    const isPublished = kind !== "at hand" && kind !== "not published";
    const type = isPublished ? kind : "auth.user.registered";
    const id = newId();
    ids.set(what, id);
    const payload =
      type === "auth.user.registered"
        ? { userId: newId(), organisationId: tenantId, organisationName: what }
        : { userId: newId() };
    const at = hoursAgo(hours);
    await systemQuery(
      "test",
      `insert into events.outbox (id, tenant_id, aggregate_type, aggregate_id, type, version, payload, occurred_at)
       values ($1, $2, 'user', $3, $4, 1, $5, $6)`,
      [id, tenantId, what.slice(0, 1), type, JSON.stringify(payload), at],
    );
    // Published a little later, in another order than they occurred.
    if (isPublished)
      await systemQuery("test", "update events.outbox set published_at = $2 where id = $1", [
        id,
        new Date(at.getTime() + 60_000),
      ]);
    const message = { id, tenantId, type, version: 1, aggregateType: "user", aggregateId: what.slice(0, 1), payload };
    await handle({ ...message, headers: {}, occurredAt: at.toISOString() });
    messages.push({ ...message, headers: {}, occurredAt: at.toISOString() });
  }
  seen.length = 0;
  return { name, seen, ids, handle, brought, messages };
}

/** As if the replay had begun so long ago. */
const begunAgo = (id: string, ms: number = LEASE_MS) =>
  systemQuery("test", "update events.replay set started_at = now() - $2 * interval '1 millisecond' where id = $1", [
    id,
    ms,
  ]);

const inboxOf = (name: string): Promise<number> =>
  rowsOf(name, "select count(*)::int as n from events.inbox where consumer = $1 and processed_at is not null");

describe("a replay", () => {
  // What other tests published would be brought too: a replay is of all tenants.
  beforeEach(() => withSystem("test", (tx) => outboxPurge(tx, 0, 100_000)));

  it("brings one consumer what occurred in its span and was published, under its ids and in order, so that it acts again", async () => {
    const tenantId = tenant();
    const set = await handled(tenantId, [5, "p1"], [4, "p2"], [3, "q1"], [2, "p3"], [1, "p4"]);
    const id = await replayEvents({ consumer: set.name, from: hoursAgo(4.5), until: hoursAgo(1.5), reason: REASON });
    await begunAgo(id);
    await moveAll();
    expect(await replayFind(id)).toEqual({ consumer: set.name, state: "finished", loaded: 3, waiting: 0 });
    await relayAll();
    expect(set.seen.filter((what) => what.startsWith("p"))).toEqual(["p2", "p3"]);
    expect(await effectsOf(set.name)).toEqual(["p1", "p2", "p2", "p3", "p3", "p4", "q1", "q1"]);
    expect(set.brought.map(({ headers }) => headers["redrive-consumer"])).toEqual([set.name, set.name, set.name]);
    // And once more: a replay brings no replays.
    const again = { consumer: set.name, from: hoursAgo(4.5), until: hoursAgo(3.5), reason: REASON };
    await begunAgo(await replayEvents(again));
    await moveAll();
    await relayAll();
    expect(set.seen.filter((what) => what === "p2")).toHaveLength(2);
  });

  it("killed anywhere while it loads repeats nothing and loses nothing, and what is new waits behind it", async () => {
    const tenantId = tenant();
    const set = await handled(tenantId, [3, "p1"], [2, "p2"], [1, "q1"]);
    // Ahead of the database's clock, as a process may be.
    const future = { code: "invalid_argument", details: { reason: "invalid_request" } };
    const ahead = { consumer: set.name, from: hoursAgo(-0.01), reason: REASON };
    await expect(replayEvents(ahead)).rejects.toMatchObject(future);
    const id = await replayEvents({ consumer: set.name, from: hoursAgo(4), reason: REASON });
    const again = { code: "failed_precondition", details: { reason: "replay_running" } };
    await expect(replayEvents({ consumer: set.name, from: hoursAgo(4), reason: REASON })).rejects.toMatchObject(again);
    await begunAgo(id);
    expect(await replayLoad(id, 1)).toBe(false);
    // A copy and its inbox row change hands in one commit; nothing is delivered before all are there.
    expect([await inboxOf(set.name), await heldOf(set.name), await heldRelease(10, ANY)]).toEqual([2, 1, 0]);
    // By the topic, late: it waits with its copy.
    await set.handle(set.messages[0]!);
    expect([await heldOf(set.name), set.seen]).toEqual([1, []]);
    const fresh = {
      ...set.messages[1]!,
      id: newId(),
      payload: { ...(set.messages[1]!.payload as object), organisationName: "p3" },
    };
    set.ids.set("p3", fresh.id);
    await systemQuery(
      "test",
      "insert into events.outbox (id, tenant_id, aggregate_type, aggregate_id, type, version, payload) values ($1, $2, 'user', 'p', $3, 1, $4)",
      [fresh.id, tenantId, fresh.type, JSON.stringify(fresh.payload)],
    );
    await relayAll();
    expect([await heldOf(set.name), set.seen]).toEqual([2, []]);
    expect(await replayFind(id)).toMatchObject({ state: "loading", loaded: 1, waiting: 1 });
    await moveAll();
    await relayAll();
    expect(set.seen.filter((what) => what.startsWith("p"))).toEqual(["p1", "p2", "p3"]);
    expect(await effectsOf(set.name)).toEqual(["p1", "p1", "p2", "p2", "p3", "q1", "q1"]);
    expect(await replayFind(id)).toMatchObject({ state: "finished", loaded: 3 });
  });

  it("begins when what relays had at hand is settled, and also brings what the consumer handled that was published by then, or is not yet, in order", async () => {
    const tenantId = tenant();
    const set = await handled(tenantId, [5, "p1"], [4, "p2", "at hand"], [3, "p3", "not published"], [2, "q1"]);
    const id = await replayEvents({ consumer: set.name, from: hoursAgo(6), reason: REASON });
    await begunAgo(id, LEASE_MS - 20_000);
    expect([await moveHeldOn(ANY), await replayLoad(id, 100)]).toEqual([false, false]);
    await systemQuery("test", "update events.outbox set published_at = now() where id = $1", [set.ids.get("p2")]);
    await begunAgo(id);
    await moveAll();
    expect(await replayFind(id)).toMatchObject({ state: "finished", loaded: 4 });
    await relayAll();
    expect(set.seen.filter((what) => what.startsWith("p"))).toEqual(["p1", "p2", "p3"]);
    expect(await effectsOf(set.name)).toEqual(["p1", "p1", "p2", "p2", "p3", "p3", "q1", "q1"]);
  });

  it("that cannot be loaded holds up nobody else", async () => {
    const tenantId = tenant();
    const [broken, set] = [await handled(tenantId, [3, "p1"]), await handled(tenantId, [2, "q1"])];
    for (const { name } of [broken, set])
      await begunAgo(await replayEvents({ consumer: name, from: hoursAgo(2.5), reason: REASON }));
    const most = "update events.replay set loaded = $2 where consumer = $1";
    await systemQuery("test", most, [broken.name, "9223372036854775807"]);
    await moveAll();
    expect([await heldOf(broken.name), await heldOf(set.name)]).toEqual([0, 0]);
    await relayAll();
    expect([broken.seen, set.seen]).toEqual([[], ["q1"]]);
    await systemQuery("test", most, [broken.name, 0]);
    await moveAll();
  });

  it("that is ended brings no more, leaves its consumer's notes as they were, and keeps what had never come", async () => {
    const tenantId = tenant();
    const set = await handled(tenantId, [5, "p1"], [4, "p2"], [3, "q1"], [2, "r1"]);
    const inbox = "update events.inbox set processed_at = null, dead_at = $3 where consumer = $1 and event_id = $2";
    await systemQuery("test", inbox, [set.name, set.ids.get("q1"), new Date()]);
    await systemQuery("test", inbox, [set.name, set.ids.get("r1"), null]);
    const id = await replayEvents({ consumer: set.name, from: hoursAgo(6), reason: REASON });
    await begunAgo(id);
    while (!(await replayLoad(id, 1)));
    expect([await heldOf(set.name), await inboxOf(set.name)]).toEqual([4, 0]);
    expect([await endReplayByCommand(set.name), await endReplayByCommand(set.name)]).toEqual([true, false]);
    expect(await replayFind(id)).toMatchObject({ state: "finished" });
    const dead = "select count(*)::int as n from events.inbox where consumer = $1 and dead_at is not null";
    expect([await heldOf(set.name), await inboxOf(set.name), await rowsOf(set.name, dead)]).toEqual([1, 2, 1]);
    await moveAll();
    await relayAll();
    expect(set.seen).toEqual(["r1"]);
    // While it is loaded too: its consumer is free again.
    await replayEvents({ consumer: set.name, from: hoursAgo(6), reason: REASON });
    await endReplayByCommand(set.name);
    expect(await rowsOf(set.name, "select count(*)::int as n from events.consumer_hold where consumer = $1")).toBe(0);
    await expect(endReplayByCommand(newId())).rejects.toMatchObject({ details: { reason: "consumer_not_found" } });
  });

  it("takes one type alone, waits while its consumer is paused, and is followed by command", async () => {
    const tenantId = tenant();
    const set = await handled(tenantId, [3, "p1"], [2, "e", "auth.email.verified"]);
    await pauseConsumer(set.name, REASON);
    const id = await replayByCommand({
      consumer: set.name,
      from: hoursAgo(4).toISOString(),
      type: "auth.email.verified",
    });
    await begunAgo(id);
    await moveAll();
    expect([await replayFind(id), set.seen]).toEqual([
      { consumer: set.name, state: "delivering", loaded: 1, waiting: 1 },
      [],
    ]);
    await resumeConsumer(set.name, REASON);
    const told: string[] = [];
    await followReplay(id, ({ state }) => void told.push(state));
    expect(told.at(-1)).toBe("finished");
    await relayAll();
    expect(set.seen).toEqual(["verified"]);
    const entries = await systemQuery<{ action: string; actor: string }>(
      "test",
      "select action, actor from audit.entry where target_id = $1 and action = 'events.consumer.replayed'",
      [set.name],
    );
    expect(entries).toEqual([{ action: "events.consumer.replayed", actor: "system:command" }]);
  });

  it("is refused where it could bring less than it says, and for consumers that do not run", async () => {
    const set = await handled(tenant());
    const staff = {
      authData: {
        userID: newId(),
        kind: "operator" as const,
        scope: "operator.consumer.manage",
        authTime: String(Date.now() / 1000),
      },
    };
    const to = { name: set.name, reason: REASON };
    const invalid = { code: "invalid_argument", details: { fields: { from: expect.any(String) as string } } };
    for (const span of [
      { from: hoursAgo((OUTBOX_DAYS + 1) * 24).toISOString() },
      { from: hoursAgo(1).toISOString(), until: hoursAgo(2).toISOString() },
      { from: hoursAgo(-1).toISOString() },
      { from: "yesterday" },
    ])
      await expect(events.replayToConsumer({ ...to, ...span }, staff)).rejects.toMatchObject(invalid);
    const missing = { details: { reason: "consumer_not_found" } };
    const from = hoursAgo(1).toISOString();
    await expect(events.replayToConsumer({ ...to, name: newId(), from }, staff)).rejects.toMatchObject(missing);
    const { id } = await events.replayToConsumer({ ...to, from }, staff);
    expect(await replayFind(id)).toMatchObject({ state: "loading" });
    await begunAgo(id);
    await moveAll();
  });
});
