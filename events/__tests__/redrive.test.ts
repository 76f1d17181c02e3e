import { events, queues } from "~encore/clients";
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { buryJob } from "../../queues/dead-letters";
import { tenantIdFrom, type AuthData, type TenantId } from "../../security/principal";
import { consumer } from "../consumer";
import { redriveEvents } from "../dead-letters";
import { appendToOutbox } from "../outbox";
import { REDRIVE_CONSUMER, REDRIVE_OF, type DomainEvent } from "../topic";
import { deliverTo, messageOf, redriveAfterFix, registered, relayAll } from "./redrive-after-fix";

const caller = (): AuthData & { tenantId: TenantId } => ({
  userID: newId(),
  tenantId: tenantIdFrom(newId()),
  role: "owner",
  sessionId: newId(),
  authTime: String(Math.floor(Date.now() / 1000)),
});

/** Adds an open dead letter as it stands in the table. */
async function letter(tenantId: TenantId, change: Record<string, unknown> = {}): Promise<string> {
  const row = {
    id: newId(),
    tenant_id: tenantId,
    consumer: "ledger",
    event_id: newId(),
    aggregate_type: "user",
    aggregate_id: "1",
    type: "auth.user.registered",
    version: 1,
    payload: { n: 1 },
    headers: {},
    occurred_at: "2026-01-01T00:00:00Z",
    reason: "attempts_exhausted",
    error: "",
    attempts: 8,
    dead_at: "2026-01-02T00:00:00Z",
    ...change,
  };
  await systemQuery(
    "test",
    "insert into events.dead_letter select * from jsonb_populate_record(null::events.dead_letter, $1)",
    [JSON.stringify(row)],
  );
  return row.id;
}

const auditOf = (tenantId: TenantId) =>
  systemQuery("test", "select action, target_id, fields from audit.entry where tenant_id = $1 order by seq", [
    tenantId,
  ]);

describe("a redrive", () => {
  it("by filter empties the dead letters of a consumer that was fixed, each effect once, asked for by two at once", async () => {
    expect(await redriveAfterFix(16)).toEqual({ dead: 16, open: 0, redriven: 16, once: 16, otherwise: 0 });
  });

  it("sends a dead letter to the consumer that gave it up, once, as the event it was", async () => {
    const authData = caller();
    const { tenantId } = authData;
    const event = messageOf({
      ...registered(tenantId, "u"),
      payload: { userId: 7 },
      headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      aggregateKey: "",
      position: 1,
      occurredAt: new Date("2026-01-01T00:00:00Z"),
      dueAt: new Date(),
      attempts: 1,
      refusals: 0,
    });
    await consumer("mended", { "auth.user.registered@1": async () => undefined })(event);
    const [open] = (await events.listDeadLetters({}, { authData })).deadLetters;
    const ids = [open?.id ?? ""];
    expect(open).toMatchObject({ consumer: "mended", eventId: event.id, reason: "payload_invalid" });

    const stranger = caller();
    const none = { code: "not_found", details: { reason: "dead_letter_not_found" } };
    await expect(events.redriveDeadLetters({ filter: { ids } }, { authData: stranger })).rejects.toMatchObject(none);
    expect(await events.redriveDeadLetters({ filter: { ids } }, { authData })).toEqual({ redriven: 1, more: false });
    await expect(events.redriveDeadLetters({ filter: { ids } }, { authData })).rejects.toMatchObject(none);
    expect(await auditOf(tenantId)).toEqual([
      {
        action: "events.dead_letter.redriven",
        target_id: open?.id,
        fields: { letters: 1, source: null, type: null, reason: null, from: null, until: null, purpose: null },
      },
    ]);

    const sent: DomainEvent[] = [];
    deliverTo(tenantId, async (message) => void sent.push(message));
    await relayAll();
    const { id, occurredAt, type, version, headers } = event;
    const about = { [REDRIVE_OF]: id, [REDRIVE_CONSUMER]: "mended" };
    expect(sent).toMatchObject([{ id, occurredAt, type, version, headers: { ...headers, ...about } }]);

    const handled: string[] = [];
    const [again] = sent.map((message) => ({ ...message, payload: registered(tenantId, "u").payload }));
    const handlers = {
      "auth.user.registered@1": async (_tx: unknown, received: { id: string }) => void handled.push(received.id),
    };
    if (again) for (const name of ["bystander", "mended", "mended"]) await consumer(name, handlers)(again);
    expect(handled).toEqual([event.id]);
  });

  it("takes the oldest first and as many as one call may handle, and says that there are more", async () => {
    const tenantId = tenantIdFrom(newId());
    await systemQuery(
      "test",
      `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
       select gen_random_uuid(), $1, 'many', gen_random_uuid(), 'a', '1', 'auth.user.registered', 1, jsonb_build_object('n', n), now(), 'attempts_exhausted', '', 1,
              now() - n * interval '1 second' from generate_series(1, 520) n`,
      [tenantId],
    );
    const redrive = () => withTenant({ tenantId }, (tx) => redriveEvents(tx, { tenantId, filter: { source: "many" } }));
    expect(await redrive()).toEqual({ count: 500, isMore: true });
    const sent = await systemQuery<{ n: number }>(
      "test",
      "select (payload->>'n')::int as n from events.outbox where tenant_id = $1 order by position",
      [tenantId],
    );
    expect(sent.map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, at) => 520 - at));
    expect(await redrive()).toEqual({ count: 20, isMore: false });
    expect(await redrive()).toEqual({ count: 0, isMore: false });
  });
});

describe("a filter of dead letters", () => {
  it.each([
    ["consumer", { consumer: "ledger" }, "AB D"],
    ["type", { type: "auth.user.registered" }, "ABC"],
    ["reason", { reason: "payload_invalid" }, " B"],
    ["beginning", { from: "2026-01-02T01:00:00+01:00" }, "ABC"],
    ["end", { until: "2026-01-02T00:00:00Z" }, "   D"],
    ["all at once", { consumer: "ledger", type: "auth.user.registered", from: "2026-01-01T00:00:00Z" }, "AB"],
    ["a name that is none", { consumer: "ledger' or true --" }, ""],
  ])("means the same for list, redrive and discard: %s", async (_what, filter, expected) => {
    const wanted = [...expected].filter((name) => name !== " ").sort();
    for (const act of ["redrive", "discard"] as const) {
      const authData = caller();
      const names = new Map([
        [await letter(authData.tenantId), "A"],
        [await letter(authData.tenantId, { reason: "payload_invalid" }), "B"],
        [await letter(authData.tenantId, { consumer: "mailer" }), "C"],
        [await letter(authData.tenantId, { type: "auth.user.left", dead_at: "2026-01-01T00:00:00Z" }), "D"],
      ]);
      const list = async (by: object) =>
        (await events.listDeadLetters(by, { authData })).deadLetters.map(({ id }) => names.get(id)).sort();
      expect(await list(filter)).toEqual(wanted);
      if (act === "redrive")
        expect(await events.redriveDeadLetters({ filter }, { authData })).toEqual({
          redriven: wanted.length,
          more: false,
        });
      else
        expect(await events.discardDeadLetters({ filter }, { authData })).toEqual({
          discarded: wanted.length,
          more: false,
        });
      expect(await list({})).toEqual([..."ABCD"].filter((name) => !wanted.includes(name)));
    }
  });

  it("must name something where it changes something, and moments that are some", async () => {
    const authData = caller();
    const kept = await letter(authData.tenantId);
    const refused = (field: string) => ({
      code: "invalid_argument",
      details: { fields: { [field]: expect.any(String) as string } },
    });
    for (const service of [events, queues])
      for (const act of [service.redriveDeadLetters, service.discardDeadLetters]) {
        await expect(act({ filter: {} }, { authData })).rejects.toMatchObject(refused("filter"));
        await expect(act({ filter: { from: "yesterday" } }, { authData })).rejects.toMatchObject(refused("from"));
        await expect(act({ filter: { ids: ["none", newId()] } }, { authData })).rejects.toMatchObject({
          code: "not_found",
        });
        await expect(act({ filter: { reason: "\0" } }, { authData })).rejects.toMatchObject({
          code: "invalid_argument",
        });
      }
    for (const service of [events, queues])
      await expect(service.listDeadLetters({ until: "2026-02-30" }, { authData })).rejects.toMatchObject(
        refused("until"),
      );
    expect((await events.listDeadLetters({}, { authData })).deadLetters.map(({ id }) => id)).toEqual([kept]);
  });
});

describe("a discard", () => {
  it("closes the event for its consumer: it is neither listed, nor redriven, nor handled when it comes again", async () => {
    const authData = caller();
    const event = messageOf({
      ...registered(authData.tenantId, "u"),
      payload: null,
      aggregateKey: "",
      position: 1,
      occurredAt: new Date(),
      dueAt: new Date(),
      attempts: 1,
      refusals: 0,
    });
    await consumer("closed", { "auth.user.registered@1": async () => undefined })(event);
    const filter = { consumer: "closed" };
    expect(await events.discardDeadLetters({ filter }, { authData })).toEqual({ discarded: 1, more: false });
    expect(await events.redriveDeadLetters({ filter }, { authData })).toEqual({ redriven: 0, more: false });
    expect(await auditOf(authData.tenantId)).toMatchObject([
      { action: "events.dead_letter.discarded", fields: { letters: 1, source: "closed" } },
    ]);
    let calls = 0;
    const handle = consumer("closed", { "auth.user.registered@1": async () => void calls++ });
    await handle({ ...event, payload: registered(authData.tenantId, "u").payload });
    expect(calls).toBe(0);
  });
});

describe("dead letters of jobs", () => {
  it("are listed, sent again under new ids without their delay, and discarded, by job, reason and time", async () => {
    const authData = caller();
    const { tenantId } = authData;
    const bury = (queue: string, reason: string, headers = {}) =>
      buryJob({ queue, jobId: newId(), tenantId, payload: { queue }, headers, reason, error: "", attempts: 3 });
    await bury("test:mail", "attempts_exhausted", { "job-delay-ms": "60000", "correlation-id": "c" });
    await bury("test:mail", "unrecoverable");
    await bury("test:other", "attempts_exhausted");
    const list = async (by: object = {}) =>
      (await queues.listDeadLetters(by, { authData })).deadLetters.map(({ job, reason }) => `${job} ${reason}`).sort();
    expect(await list({ job: "test:mail" })).toEqual(["test:mail attempts_exhausted", "test:mail unrecoverable"]);

    const filter = { job: "test:mail", reason: "attempts_exhausted", from: "2026-01-01T00:00:00Z" };
    expect(await queues.redriveDeadLetters({ filter }, { authData })).toEqual({ redriven: 1, more: false });
    expect(
      await systemQuery(
        "test",
        "select destination, type, payload, headers, id::text = aggregate_id as own from events.outbox where tenant_id = $1",
        [tenantId],
      ),
    ).toEqual([
      {
        destination: "job",
        type: "test:mail",
        payload: { queue: "test:mail" },
        headers: { "correlation-id": "c" },
        own: true,
      },
    ]);
    expect(await queues.discardDeadLetters({ filter: { job: "test:mail" } }, { authData })).toEqual({
      discarded: 1,
      more: false,
    });
    expect(await list()).toEqual(["test:other attempts_exhausted"]);
    expect((await auditOf(tenantId)).map((entry) => (entry as { action: string }).action)).toEqual([
      "queues.dead_letter.redriven",
      "queues.dead_letter.discarded",
    ]);
  });

  it("keep what one of them has, should the transaction roll back", async () => {
    const tenantId = tenantIdFrom(newId());
    await letter(tenantId);
    const undone = withTenant({ tenantId }, async (tx) => {
      expect(await redriveEvents(tx, { tenantId, filter: { source: "ledger" } })).toMatchObject({ count: 1 });
      await appendToOutbox(tx, registered(tenantId, "u"));
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    const open = "select 1 from events.dead_letter where tenant_id = $1 and redriven_at is null";
    expect(await systemQuery("test", open, [tenantId])).toHaveLength(1);
    expect(await systemQuery("test", "select 1 from events.outbox where tenant_id = $1", [tenantId])).toEqual([]);
  });
});
