// From an event to a receiver, attempt by attempt: signed, tried again over days, given up, in order where that is asked for.
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { webhooks } from "~encore/clients";
import { systemQuery, withTenant } from "../../../db/tenant";
import type { RegisteredCaller } from "../../../testing";
import { deliverJob } from "../attempt-job";
import { attemptDelivery, settleUnmade } from "../delivery";
import { ATTEMPTS_MAX, RETRY_DELAYS_MS, nextDelayMs, postponedMs } from "../schedule";
import { purgeSent } from "../upkeep";
import { answering, startReceiver, type Receiver } from "./receiver";
import { createEndpoint, createOrganisation, runAttempts, send, states, waits } from "./stage";

let receiver: Receiver;
let owner: RegisteredCaller;

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());
beforeEach(async () => {
  owner = await createOrganisation();
  receiver.received.length = 0;
  receiver.act = answering(204);
});

const attemptsAt = async (id: string): Promise<Record<string, unknown>[]> =>
  (await webhooks.listAttempts({ id }, owner)).attempts as unknown as Record<string, unknown>[];

test("an event arrives once at each endpoint that asks for its type, signed with its key", async () => {
  const all = await createEndpoint(owner, receiver.url);
  const uploads = await createEndpoint(owner, `${receiver.url}/uploads`, { eventTypes: ["assets.asset.uploaded"] });
  await createEndpoint(owner, receiver.url, { eventTypes: ["assets.asset.deleted"] });
  const id = await send(owner.tenantId, { aggregateId: "a", data: { name: "ä 🌍" } });
  expect(await runAttempts(owner.tenantId)).toEqual(["delivered", "delivered"]);
  expect(receiver.received).toHaveLength(2);
  const verified = receiver.received.flatMap(({ body, headers }) =>
    [all, uploads].flatMap(({ secret }): unknown[] => {
      try {
        return [new Webhook(secret).verify(body, headers as Record<string, string>)];
      } catch {
        return [];
      }
    }),
  );
  const body = {
    ...{ id, type: "assets.asset.uploaded", version: 1, timestamp: expect.any(String) as string },
    ...{ subject: { type: "asset", id: "a" }, data: { name: "ä 🌍" } },
  };
  expect(verified).toEqual([body, body]);
  expect(receiver.received[0]?.headers).toMatchObject({ "webhook-id": id, "content-type": "application/json" });
  const told = { messageId: id, eventType: "assets.asset.uploaded", number: 1, outcome: "delivered", status: 204 };
  expect(await attemptsAt(all.id)).toMatchObject([told]);
  expect(await runAttempts(owner.tenantId)).toEqual([]);
});

test("nothing of another organisation arrives, and no job of another one sends anything", async () => {
  await createEndpoint(owner, receiver.url);
  const stranger = await createOrganisation();
  await send(stranger.tenantId);
  expect(await runAttempts(stranger.tenantId)).toEqual([]);
  await send(owner.tenantId);
  const [job] = await systemQuery<{ payload: unknown }>(
    "test",
    "select payload from events.outbox where tenant_id = $1 and type = $2",
    [owner.tenantId, deliverJob.name],
  );
  const attempt = deliverJob.payload.parse(job?.payload);
  expect(await attemptDelivery(stranger.tenantId, attempt, new AbortController().signal)).toBe("stale");
  expect(receiver.received).toEqual([]);
});

describe("a receiver that fails", () => {
  test("is tried again by the schedule, each attempt a time of its own, and given up after the last", async () => {
    const { id } = await createEndpoint(owner, receiver.url);
    const messageId = await send(owner.tenantId);
    receiver.act = answering(500, {}, "not\u0000 today");
    for (let number = 1; number < ATTEMPTS_MAX; number++) {
      expect(await runAttempts(owner.tenantId), String(number)).toEqual(["failed"]);
      expect(await waits(owner.tenantId)).toEqual([RETRY_DELAYS_MS[number - 1]! / 1_000]);
    }
    expect(await states(owner.tenantId)).toEqual(["pending"]);
    expect(await runAttempts(owner.tenantId)).toEqual(["failed"]);
    expect(await waits(owner.tenantId)).toEqual([]);
    expect(await states(owner.tenantId)).toEqual(["failed"]);
    expect(new Set(receiver.received.map((one) => one.id))).toEqual(new Set([messageId]));
    const attempts = await attemptsAt(id);
    expect(attempts.map(({ number }) => number)).toEqual(
      Array.from({ length: ATTEMPTS_MAX }, (_, i) => ATTEMPTS_MAX - i),
    );
    const told = { outcome: "failed", status: 500, error: "refused", response: "not  today" };
    expect(attempts[1]).toMatchObject({ ...told, nextAttemptAt: expect.any(String) as string });
    expect(attempts[0]).toMatchObject(told);
    expect(attempts[0]).not.toHaveProperty("nextAttemptAt");
  });

  test("has what it asks for: Retry-After, of a day at most", async () => {
    await createEndpoint(owner, receiver.url);
    await send(owner.tenantId);
    receiver.act = answering(429, { "retry-after": "600" });
    await runAttempts(owner.tenantId);
    expect(await waits(owner.tenantId)).toEqual([600]);
    receiver.act = answering(503, { "retry-after": "999999999" });
    await runAttempts(owner.tenantId);
    expect(await waits(owner.tenantId)).toEqual([86_400]);
  });

  test("that said 410 is disabled at once, by an event and an entry in the log; what comes then is missed", async () => {
    const { id } = await createEndpoint(owner, receiver.url);
    await send(owner.tenantId);
    await send(owner.tenantId);
    receiver.act = answering(410);
    expect(await runAttempts(owner.tenantId)).toEqual(["failed", "missed"]);
    await send(owner.tenantId);
    expect(await runAttempts(owner.tenantId)).toEqual([]);
    expect(await states(owner.tenantId)).toEqual(["failed", "missed", "missed"]);
    expect(receiver.received).toHaveLength(1);
    const disabled = { status: "disabled", disabledReason: "gone", disabledAt: expect.any(String) as string };
    expect(await webhooks.getEndpoint({ id }, owner)).toMatchObject(disabled);
    const told = await systemQuery(
      "test",
      "select payload, aggregate_id as about from events.outbox where tenant_id = $1 and type = 'webhooks.endpoint.disabled'",
      [owner.tenantId],
    );
    const host = new URL(receiver.url).host;
    expect(told).toEqual([{ payload: { endpointId: id, host, reason: "gone" }, about: id }]);
    const logged = await systemQuery(
      "test",
      "select action from audit.entry where tenant_id = $1 and target_id = $2 order by seq",
      [owner.tenantId, id],
    );
    expect(logged).toEqual([{ action: "webhooks.endpoint.created" }, { action: "webhooks.endpoint.disabled" }]);
    receiver.act = answering(200);
    const { disabledReason, ...enabled } = await webhooks.updateEndpoint({ id, status: "active" }, owner);
    expect({ disabledReason, ...enabled }).toMatchObject({ disabledReason: undefined, status: "active" });
    await send(owner.tenantId);
    expect(await runAttempts(owner.tenantId)).toEqual(["delivered"]);
  });

  const age = (id: string, since: string, last: string): Promise<unknown> =>
    systemQuery(
      "test",
      "update webhooks.endpoint set failing_since = now() - $2::interval, last_failed_at = now() - $3::interval where id = $1",
      [id, since, last],
    );
  const fail = async (): Promise<void> => {
    receiver.act = answering(500);
    await send(owner.tenantId);
    await runAttempts(owner.tenantId);
  };

  test("for five days is disabled; one that answered in between, or was quiet in between, is not", async () => {
    const { id } = await createEndpoint(owner, receiver.url);
    const statusOf = async (): Promise<unknown> => (await webhooks.getEndpoint({ id }, owner)).status;
    await fail();
    await age(id, "4 days 23 hours", "1 hour");
    await fail();
    expect(await statusOf()).toBe("active");
    await age(id, "6 days", "37 hours");
    await fail();
    expect(await statusOf()).toBe("active");
    await age(id, "6 days", "1 hour");
    receiver.act = answering(200);
    await send(owner.tenantId);
    await runAttempts(owner.tenantId);
    await fail();
    expect(await statusOf()).toBe("active");
    await age(id, "5 days", "28 hours");
    await fail();
    expect(await webhooks.getEndpoint({ id }, owner)).toMatchObject({ status: "disabled", disabledReason: "failing" });
  });
});

describe("an attempt", () => {
  test("that ran twice, its process was killed in between, is told once and goes on once", async () => {
    const { id } = await createEndpoint(owner, receiver.url);
    await send(owner.tenantId);
    // Both have asked before either hears what came of it.
    const asked: (() => void)[] = [];
    receiver.act = (_, response) => {
      asked.push(() => response.writeHead(500).end());
      if (asked.length === 2) for (const answer of asked) answer();
    };
    const [job] = await systemQuery<{ payload: unknown }>(
      "test",
      "select payload from events.outbox where tenant_id = $1 and type = $2",
      [owner.tenantId, deliverJob.name],
    );
    const attempt = deliverJob.payload.parse(job?.payload);
    const nobody = new AbortController().signal;
    const both = await Promise.all([1, 2].map(() => attemptDelivery(owner.tenantId, attempt, nobody)));
    expect(both.sort()).toEqual(["failed", "stale"]);
    expect(await attemptDelivery(owner.tenantId, attempt, nobody)).toBe("stale");
    expect(receiver.received).toHaveLength(2);
    expect(await attemptsAt(id)).toHaveLength(1);
  });

  test("that we could not make is no fault of the receiver's, and another one follows", async () => {
    const { id } = await createEndpoint(owner, receiver.url);
    await send(owner.tenantId);
    await systemQuery("test", "delete from secrets.secret where tenant_id = $1", [owner.tenantId]);
    await expect(runAttempts(owner.tenantId)).rejects.toThrow("no such secret");
    const [delivery] = await systemQuery<{ id: string }>(
      "test",
      "select id from webhooks.delivery where tenant_id = $1",
      [owner.tenantId],
    );
    const attempt = { webhookDeliveryId: delivery!.id, number: 1, postponed: 0 };
    await withTenant(owner, (tx) => settleUnmade(tx, owner.tenantId, attempt));
    expect(await attemptsAt(id)).toMatchObject([{ error: "not_made", number: 1 }]);
    expect(await states(owner.tenantId)).toEqual(["pending"]);
    expect(await webhooks.getEndpoint({ id }, owner)).not.toHaveProperty("failingSince");
    expect(receiver.received).toEqual([]);
  });
});

describe("order", () => {
  test("per aggregate: what came before is over before the next begins; other aggregates go on", async () => {
    await createEndpoint(owner, receiver.url, { ordering: "aggregate" });
    const sent: string[] = [];
    for (const aggregateId of ["a", "a", "b", "a"]) sent.push(await send(owner.tenantId, { aggregateId }));
    const [a1, a2, b1, a3] = sent;
    expect(await states(owner.tenantId)).toEqual(["pending", "waiting", "pending", "waiting"]);
    receiver.act = ({ id }, response) => void response.writeHead(id === a1 ? 500 : 200).end();
    expect(await runAttempts(owner.tenantId)).toEqual(["failed", "delivered"]);
    receiver.act = answering(200);
    for (let i = 0; i < 3; i++) expect(await runAttempts(owner.tenantId)).toEqual(["delivered"]);
    expect(receiver.received.map(({ id }) => id)).toEqual([a1, b1, a1, a2, a3]);
    expect(await runAttempts(owner.tenantId)).toEqual([]);
  });

  test("nobody waits for what was given up, or missed", async () => {
    const { id } = await createEndpoint(owner, receiver.url, { ordering: "aggregate" });
    for (let i = 0; i < 3; i++) await send(owner.tenantId, { aggregateId: "a" });
    await systemQuery(
      "test",
      "update webhooks.delivery set attempts = $2::int where tenant_id = $1 and state = 'pending'",
      [owner.tenantId, ATTEMPTS_MAX - 1],
    );
    const [delivery] = await systemQuery<{ id: string }>(
      "test",
      "select id from webhooks.delivery where tenant_id = $1 and state = 'pending'",
      [owner.tenantId],
    );
    receiver.act = answering(500);
    const last = { webhookDeliveryId: delivery!.id, number: ATTEMPTS_MAX, postponed: 0 };
    expect(await attemptDelivery(owner.tenantId, last, new AbortController().signal)).toBe("failed");
    expect(await states(owner.tenantId)).toEqual(["failed", "pending", "waiting"]);
    await webhooks.updateEndpoint({ id, status: "disabled" }, owner);
    expect(await runAttempts(owner.tenantId)).toContain("missed");
    expect(await runAttempts(owner.tenantId)).toEqual(["missed"]);
    expect(await states(owner.tenantId)).toEqual(["failed", "missed", "missed"]);
  });
});

test("delays are within a fifth of the schedule, three days in all, and those without a turn come back within ten minutes", () => {
  for (const [index, delayMs] of RETRY_DELAYS_MS.entries()) {
    expect(nextDelayMs(index + 1, () => 0)).toBe(Math.round(delayMs * 0.8));
    expect(nextDelayMs(index + 1, () => 1)).toBe(Math.round(delayMs * 1.2));
  }
  expect([RETRY_DELAYS_MS[0], RETRY_DELAYS_MS.at(-1)]).toEqual([5_000, 86_400_000]);
  expect(nextDelayMs(ATTEMPTS_MAX, () => 0)).toBeUndefined();
  expect([1, 2, 30].map((times) => postponedMs(times, () => 1))).toEqual([5_000, 10_000, 600_000]);
});

test("what is not over is kept however old, so that nobody waits behind it for ever; what is over goes, and its message with the last of it", async () => {
  const { id: endpointId } = await createEndpoint(owner, receiver.url, { ordering: "aggregate" });
  const gone = await createEndpoint(owner, receiver.url);
  receiver.act = answering(500);
  for (let n = 0; n < 2; n++) await send(owner.tenantId, { aggregateId: "a" });
  await webhooks.removeEndpoint({ id: gone.id }, owner);
  const counts = async (): Promise<number[]> =>
    Promise.all(
      ["delivery", "message", "attempt"].map(
        async (table) =>
          (
            await systemQuery<{ n: number }>(
              "test",
              `select count(*)::int as n from webhooks.${table} where tenant_id = $1`,
              [owner.tenantId],
            )
          )[0]?.n ?? -1,
      ),
    );
  const age = async (): Promise<void> => {
    for (const [table, column] of [
      ["delivery", "created_at"],
      ["delivery", "ended_at"],
      ["message", "created_at"],
      ["attempt", "created_at"],
    ] as const)
      await systemQuery(
        "test",
        `update webhooks.${table} set ${column} = ${column} - interval '31 days' where tenant_id = $1`,
        [owner.tenantId],
      );
  };
  await age();
  await purgeSent();
  // Those of the endpoint that is gone went.
  expect(await counts()).toEqual([2, 2, 0]);
  receiver.act = answering(204);
  expect(await runAttempts(owner.tenantId)).toContain("delivered");
  expect(await runAttempts(owner.tenantId)).toEqual(["delivered"]);
  expect(await states(owner.tenantId)).toEqual(["delivered", "delivered"]);
  await age();
  await purgeSent();
  expect(await counts()).toEqual([0, 0, 0]);
  expect((await webhooks.getEndpoint({ id: endpointId }, owner)).status).toBe("active");
});
