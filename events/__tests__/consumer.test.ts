import { events, queues } from "~encore/clients";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom, type AuthData } from "../../security/principal";
import { cfg } from "../../config";
import { catalog } from "../catalog";
import { consumer, UNKNOWN_EVENT_HOURS, type EventHandler } from "../consumer";
import { declarations } from "../declarations";
import { defineEvent, upcastFrom, type EventDefinition } from "../event";
import { purgeDeadJobs, buryJob } from "../../queues/dead-letters";
import { redriveEvents } from "../dead-letters";
import { INBOX_DAYS, OUTBOX_DAYS, purgeExpired } from "../retention";
import * as inbox from "../store/inbox";
import type { DomainEvent } from "../topic";

const tenantId = tenantIdFrom(newId());
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

function documentSubmitted(change: Partial<DomainEvent> = {}): DomainEvent {
  const id = newId();
  return {
    id,
    tenantId,
    type: "auth.user.registered",
    version: 1,
    aggregateType: "user",
    aggregateId: id,
    payload: { userId: newId(), organisationId: newId(), organisationName: "Acme" },
    headers: { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` },
    occurredAt: new Date(0).toISOString(),
    ...change,
  };
}

/** An effect that leaves a row, in the transaction it is given. */
const effect = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)";

async function effectsOf(queue: string): Promise<number> {
  const [row] = await systemQuery<{ n: number }>(
    "test",
    "select count(*) as n from queues.tenant_turn where queue = $1",
    [queue],
  );
  return row?.n ?? 0;
}

function deadLettersOf(
  name: string,
): Promise<{ id: string; reason: string; error: string; trace_id: string; attempts: number; event_id: string }[]> {
  return systemQuery(
    "test",
    "select id, reason, error, trace_id, attempts, event_id from events.dead_letter where consumer = $1 and redriven_at is null",
    [name],
  );
}

describe("a consumer", () => {
  it("acts once on an event delivered three times, two of them at once", async () => {
    const event = documentSubmitted();
    let calls = 0;
    const handle = consumer("once", {
      "auth.user.registered@1": async (tx, received) => {
        calls++;
        await tx.execute(effect, [received.tenantId, `once-${received.id}`]);
      },
    });
    await Promise.all([handle(event), handle(event)]);
    await handle(event);
    expect([calls, await effectsOf(`once-${event.id}`)]).toEqual([1, 1]);
  });

  it("gives the handler the checked payload and the scope of the event's tenant", async () => {
    const event = documentSubmitted();
    let seen: unknown;
    const handle = consumer("scope", {
      "auth.user.registered@1": async (tx, received) => {
        seen = {
          tenantId: tx.tenantId,
          organisationName: received.payload.organisationName,
          occurredAt: received.occurredAt,
        };
      },
    });
    await handle(event);
    expect(seen).toEqual({ tenantId, organisationName: "Acme", occurredAt: new Date(0) });
  });

  it("acknowledges events of the catalogue that it has no handler for", async () => {
    await expect(consumer("deaf", {})(documentSubmitted())).resolves.toBeUndefined();
  });

  it("leaves an event that this process does not know to a newer replica, however often it comes", async () => {
    const event = documentSubmitted({ type: "auth.user.promoted" });
    const old = consumer("rolling", { "auth.user.registered@1": async () => undefined });
    for (let delivery = 0; delivery <= cfg.events.maxAttempts; delivery++)
      await expect(old(event)).rejects.toThrow("auth.user.promoted@1 is not in the catalogue of this process");
    await expect(old({ ...event, id: newId(), type: "auth.user.registered", version: 9 })).rejects.toThrow("@9");
    expect(await deadLettersOf("rolling")).toEqual([]);

    // The newer replica's handler has all its attempts, and acts.
    const known = { ...event, type: "auth.user.registered" };
    let attempt = 0;
    const handle = consumer("rolling", {
      "auth.user.registered@1": async (tx, received) => {
        await tx.execute(effect, [received.tenantId, `rolling-${received.id}`]);
        if (++attempt < cfg.events.maxAttempts) throw new Error("not yet");
      },
    });
    for (let failure = 1; failure < cfg.events.maxAttempts; failure++)
      await expect(handle(known)).rejects.toThrow("not yet");
    await handle(known);
    expect(await effectsOf(`rolling-${event.id}`)).toBe(1);
    await expect(old(event)).resolves.toBeUndefined();
  });

  it("gives an event that nobody knew for half a day up, and again only half a day after a redrive", async () => {
    const itsTenant = tenantIdFrom(newId());
    const event = documentSubmitted({ type: "auth.user.promoted", tenantId: itsTenant });
    const old = consumer("forgotten", {});
    const age = (hours: number) =>
      systemQuery("test", "update events.inbox set received_at = now() - $1 * interval '1 hour' where event_id = $2", [
        hours,
        event.id,
      ]);
    await expect(old(event)).rejects.toThrow("not in the catalogue");
    await age(UNKNOWN_EVENT_HOURS - 1);
    await expect(old(event)).rejects.toThrow("not in the catalogue");
    await age(UNKNOWN_EVENT_HOURS + 1);
    await old(event);
    const [letter] = await deadLettersOf("forgotten");
    expect(letter).toMatchObject({ reason: "unknown_event", attempts: 0, event_id: event.id });
    const ids = [letter?.id ?? ""];
    const wanted = { tenantId: itsTenant, filter: { ids } };
    expect(await withTenant(wanted, (tx) => redriveEvents(tx, wanted))).toMatchObject({ count: 1 });
    await expect(old(event)).rejects.toThrow("not in the catalogue");
  });

  it("undoes the effect of a failed attempt, throws for the transport to deliver again, and succeeds then", async () => {
    const event = documentSubmitted();
    let attempts = 0;
    const handle = consumer("flaky", {
      "auth.user.registered@1": async (tx, received) => {
        await tx.execute(effect, [received.tenantId, `flaky-${received.id}`]);
        if (++attempts < 3) throw new Error("not yet");
      },
    });
    await expect(handle(event)).rejects.toThrow("not yet");
    expect(await effectsOf(`flaky-${event.id}`)).toBe(0);
    await expect(handle(event)).rejects.toThrow("not yet");
    await handle(event);
    expect([attempts, await effectsOf(`flaky-${event.id}`), await deadLettersOf("flaky")]).toEqual([3, 1, []]);
  });

  it("gives an event up after the last attempt, with reason and trace id, and is not bothered by it again", async () => {
    const event = documentSubmitted();
    let calls = 0;
    const handle = consumer("broken", {
      "auth.user.registered@1": async () => {
        calls++;
        throw new Error("always");
      },
    });
    for (let attempt = 1; attempt < cfg.events.maxAttempts; attempt++)
      await expect(handle(event)).rejects.toThrow("always");
    await handle(event);
    await handle(event);
    expect(calls).toBe(cfg.events.maxAttempts);
    expect(await deadLettersOf("broken")).toEqual([
      expect.objectContaining({
        reason: "attempts_exhausted",
        error: "Error: always",
        trace_id: TRACE_ID,
        attempts: cfg.events.maxAttempts,
        event_id: event.id,
      }),
    ]);
  });

  it("gives an event that does not fit its contract up at once", async () => {
    const handle = consumer("strict", { "auth.user.registered@1": async () => undefined });
    await handle(documentSubmitted({ payload: { userId: 7 } }));
    expect(await deadLettersOf("strict")).toMatchObject([{ reason: "payload_invalid", attempts: 1 }]);
  });
});

describe("what a tenant reads of its dead letters", () => {
  const caller = (): AuthData & { tenantId: string } => ({
    userID: newId(),
    tenantId: newId(),
    role: "owner",
    sessionId: newId(),
  });

  it("names the reason in words, and nothing of the error", async () => {
    const authData = caller();
    const of = tenantIdFrom(authData.tenantId);
    const secret = 'duplicate key value: (email)=(ann@example.test) in "auth.account"';
    const handle = consumer("leaky", {
      "auth.user.registered@1": async () => {
        throw new Error(secret);
      },
    });
    const event = documentSubmitted({ tenantId: of });
    for (let attempt = 1; attempt < cfg.events.maxAttempts; attempt++)
      await expect(handle(event)).rejects.toThrow(secret);
    await handle(event);
    await consumer("leaky", { "auth.user.registered@1": async () => undefined })(
      documentSubmitted({ tenantId: of, payload: { userId: secret } }),
    );
    for (const reason of ["attempts_exhausted", "of_its_own"])
      await buryJob({
        queue: "test:leaky",
        jobId: newId(),
        tenantId: of,
        payload: {},
        headers: {},
        reason,
        error: secret,
        attempts: 5,
      });
    const listed = await events.listDeadLetters({}, { authData });
    expect(listed.deadLetters.map(({ reason, error }) => [reason, error])).toEqual([
      ["payload_invalid", "its content does not fit its contract"],
      ["attempts_exhausted", "every attempt failed"],
    ]);
    const jobs = await queues.listDeadLetters({}, { authData });
    expect(jobs.deadLetters.map(({ job, reason, error }) => [job, reason, error])).toEqual([
      ["test:leaky", "of_its_own", "it failed for good"],
      ["test:leaky", "attempts_exhausted", "every attempt failed"],
    ]);
    expect(JSON.stringify([listed, jobs])).not.toContain("ann@example.test");
    // Whoever operates the system finds it.
    expect((await deadLettersOf("leaky")).map(({ error }) => error)).toContain(`Error: ${secret}`);
  });

  it("is each of them once, also when a page ends within a millisecond, and no cursor that it did not give", async () => {
    const authData = caller();
    await systemQuery(
      "test",
      `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
       select gen_random_uuid(), $1, 'paged', gen_random_uuid(), 'a', '1', 'auth.user.registered', 1, '{}', now(), 'unknown_event', '', 1,
              '2026-01-01 00:00:00.0001Z'::timestamptz + n * interval '1 microsecond' from generate_series(1, 7) n`,
      [authData.tenantId],
    );
    const seen: string[] = [];
    for (let cursor: string | undefined, pages = 0; pages < 5; pages++) {
      const from = cursor === undefined ? {} : { cursor };
      const page = await events.listDeadLetters({ limit: 2, ...from }, { authData });
      seen.push(...page.deadLetters.map(({ id }) => id));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect([seen.length, new Set(seen).size]).toEqual([7, 7]);
    expect((await events.listDeadLetters({ limit: 2.5 }, { authData })).deadLetters).toHaveLength(2);
    expect((await queues.listDeadLetters({ limit: 2.5 }, { authData })).deadLetters).toEqual([]);
    for (const list of [events.listDeadLetters, queues.listDeadLetters])
      await expect(list({ cursor: "2026-01-01T00:00:00.000Z_x" }, { authData })).rejects.toMatchObject({
        code: "invalid_argument",
      });
  });
});

describe("upkeep", () => {
  const budget = { statementTimeoutMs: 10_000, totalMs: 60_000, batchMax: 100 };

  /** One row on either side of the limit in each table, and one that is old but not done with; resolves with the ids. */
  async function aged(table: "outbox" | "inbox" | "dead_letter", days: number): Promise<string> {
    const id = newId();
    const statements = {
      outbox: `insert into events.outbox (id, destination, aggregate_type, aggregate_id, type, version, payload, published_at)
               values ($1, 'kept', 'a', '1', 't', 1, '{}', now() - $2 * interval '1 day')`,
      inbox: `insert into events.inbox (consumer, event_id, type, received_at) values ('kept', $1, 't', now() - $2 * interval '1 day')`,
      dead_letter: `insert into events.dead_letter (id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
                    values ($1, 'kept', $1, 'a', '1', 't', 1, '{}', now(), 'r', '', 1, now() - $2 * interval '1 day')`,
    };
    await systemQuery("test", statements[table], [id, days]);
    return id;
  }
  const left = async (table: string, column: string, ids: string[]): Promise<string[]> =>
    (
      await systemQuery<{ id: string }>(
        "test",
        `select ${column} as id from events.${table} where ${column} = any($1)`,
        [ids],
      )
    ).map(({ id }) => id);

  it("removes what is published, received or dead for longer than it is kept, and nothing else", async () => {
    const outbox = [await aged("outbox", OUTBOX_DAYS + 1), await aged("outbox", OUTBOX_DAYS - 1)];
    const inboxRows = [await aged("inbox", INBOX_DAYS + 1), await aged("inbox", INBOX_DAYS - 1)];
    const letters = [await aged("dead_letter", 91), await aged("dead_letter", 89)];
    const waiting = newId();
    await systemQuery(
      "test",
      `insert into events.outbox (id, destination, aggregate_type, aggregate_id, type, version, payload, occurred_at, created_at)
       values ($1, 'kept', 'a', '2', 't', 1, '{}', now() - interval '1 year', now() - interval '1 year')`,
      [waiting],
    );
    await purgeExpired(budget);
    expect(await left("outbox", "id", [...outbox, waiting])).toEqual(expect.arrayContaining([outbox[1], waiting]));
    expect(await left("outbox", "id", outbox)).toEqual([outbox[1]]);
    expect(await left("inbox", "event_id", inboxRows)).toEqual([inboxRows[1]]);
    expect(await left("dead_letter", "id", letters)).toEqual([letters[1]]);
  });

  it("goes on until everything is gone, in batches of the size given, with a time limit of its own", async () => {
    await systemQuery(
      "test",
      `insert into events.inbox (consumer, event_id, type, received_at)
       select 'many', gen_random_uuid(), 't', now() - interval '40 days' from generate_series(1, 250)`,
    );
    const limits: string[] = [];
    const purge = inbox.inboxPurge;
    const spy = vi.spyOn(inbox, "inboxPurge").mockImplementation(async (tx, days, limit) => {
      const [row] = await tx.query<{ limit: string }>("select current_setting('statement_timeout') as limit");
      limits.push(row?.limit ?? "");
      return purge(tx, days, limit);
    });
    expect((await purgeExpired(budget)).inbox).toBe(250);
    expect(limits).toEqual(["10s", "10s", "10s"]);
    spy.mockRestore();
  });

  it("removes dead letters of jobs as well", async () => {
    const tenantOfJob = tenantIdFrom(newId());
    for (const jobId of ["old", "young"])
      await buryJob({
        queue: "test:kept",
        jobId,
        tenantId: tenantOfJob,
        payload: {},
        headers: {},
        reason: "unrecoverable",
        error: "",
        attempts: 1,
      });
    await systemQuery(
      "test",
      "update queues.dead_letter set dead_at = now() - interval '91 days' where queue = 'test:kept' and job_id = 'old'",
    );
    expect(await purgeDeadJobs()).toBe(1);
    expect(
      await systemQuery("test", "select job_id from queues.dead_letter where queue = 'test:kept' and tenant_id = $1", [
        tenantOfJob,
      ]),
    ).toEqual([{ job_id: "young" }]);
  });
});

describe("a consumer of a newer version", () => {
  const first = defineEvent({ type: "test.person.named", version: 1, payload: z.object({ name: z.string() }) });
  const second = defineEvent({
    type: "test.person.named",
    version: 2,
    payload: z.object({ words: z.array(z.string()).nonempty() }),
    upcast: upcastFrom(first, ({ name }) => ({ words: name.split(" ").filter(Boolean) as [string, ...string[]] })),
  });
  const third = defineEvent({
    type: "test.person.named",
    version: 3,
    payload: z.object({ family: z.string() }),
    upcast: upcastFrom(second, ({ words }) => ({ family: words.at(-1) ?? "" })),
  });
  const definitions = catalog as Map<string, EventDefinition>;
  beforeAll(() => [first, second, third].forEach((each) => definitions.set(each.key, each)));
  afterAll(() => [first, second, third].forEach((each) => definitions.delete(each.key)));

  const named = (version: number, payload: unknown) => documentSubmitted({ type: first.type, version, payload });
  const seen: { version: number; payload: unknown }[] = [];
  const note: EventHandler<unknown> = async (_tx, { version, payload }) => void seen.push({ version, payload });
  const handling = (name: string, ...keys: string[]) =>
    consumer(name, Object.fromEntries(keys.map((key) => [key, note])));
  beforeEach(() => void seen.splice(0));

  it("is given stored events of each version before as its own, once, and what it handles itself as it is", async () => {
    const [old, newest] = [named(1, { name: "Ada Lovelace" }), named(3, { family: "Hopper" })];
    const newer = handling("of-newest", "test.person.named@3");
    await newer(old);
    await newer(old);
    await newer(newest);
    expect(seen.splice(0)).toEqual([
      { version: 3, payload: { family: "Lovelace" } },
      { version: 3, payload: { family: "Hopper" } },
    ]);
    const both = handling("of-both", "test.person.named@3", "test.person.named@2");
    await both(named(1, { name: "Ada Lovelace" }));
    expect(seen.splice(0)).toEqual([{ version: 2, payload: { words: ["Ada", "Lovelace"] } }]);
    // It is declared too, so that who publishes delivers the older ones.
    const wanted = (name: string, version: number) => declarations.isHandledElsewhere(name, `${first.type}@${version}`);
    expect([await wanted("of-newest", 1), await wanted("of-newest", 2)]).toEqual([true, true]);
  });

  it("buries what its upcaster makes nothing fitting of, at once", async () => {
    await handling("of-nothing", "test.person.named@2")(named(1, { name: " " }));
    expect(await deadLettersOf("of-nothing")).toMatchObject([{ reason: "payload_invalid", attempts: 1 }]);
    expect(seen).toEqual([]);
  });
});
