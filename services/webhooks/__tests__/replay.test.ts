// Sending again, trying out, and replacing keys while a receiver still has the old ones.
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { webhooks } from "~encore/clients";
import { systemQuery, withTenant } from "../../../db/tenant";
import { databaseClock } from "../../../security/database-clock";
import { reasonOf } from "../../../security/errors";
import type { RegisteredCaller } from "../../../testing";
import { putKeys } from "../keys";
import { createSigningKeys } from "../signing";
import { answering, startReceiver, type Receiver } from "./receiver";
import { createEndpoint, createOrganisation, runAttempts, send, states } from "./stage";

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

const reason = (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => "none",
    (error: unknown) => reasonOf(error),
  );
const ids = (): string[] => receiver.received.map(({ id }) => id);
const LONG_AGO = "2026-01-01T00:00:00Z";

test("what was missed while the endpoint was disabled is sent by one request, the oldest first, and once", async () => {
  const { id } = await createEndpoint(owner, receiver.url);
  const had = await send(owner.tenantId);
  await runAttempts(owner.tenantId);
  await webhooks.updateEndpoint({ id, status: "disabled" }, owner);
  const missed = [await send(owner.tenantId), await send(owner.tenantId)];
  expect(await reason(webhooks.replay({ id, from: LONG_AGO }, owner))).toBe("endpoint_disabled");
  await webhooks.updateEndpoint({ id, status: "active" }, owner);
  expect(await webhooks.replay({ id, from: LONG_AGO }, owner)).toEqual({ replayed: 2 });
  expect(await webhooks.replay({ id, from: LONG_AGO }, owner)).toEqual({ replayed: 0 });
  expect(await runAttempts(owner.tenantId)).toEqual(["delivered", "delivered"]);
  expect(ids()).toEqual([had, ...missed]);
  expect(await webhooks.replay({ id, from: LONG_AGO, which: "all" }, owner)).toEqual({ replayed: 3 });
  await runAttempts(owner.tenantId);
  expect(ids()).toEqual([had, ...missed, had, ...missed]);
});

test("one message is sent again under its id; one that was not this endpoint's is not found", async () => {
  const uploads = await createEndpoint(owner, receiver.url, { eventTypes: ["assets.asset.uploaded"] });
  const others = await createEndpoint(owner, receiver.url, { eventTypes: ["assets.asset.deleted"] });
  const stranger = await createOrganisation();
  const theirs = await createEndpoint(stranger, receiver.url);
  const messageId = await send(owner.tenantId);
  await runAttempts(owner.tenantId);
  expect(await webhooks.replay({ id: uploads.id, messageId }, owner)).toEqual({ replayed: 1 });
  await runAttempts(owner.tenantId);
  expect(ids()).toEqual([messageId, messageId]);
  expect(await reason(webhooks.replay({ id: others.id, messageId }, owner))).toBe("webhook_message_not_found");
  expect(await reason(webhooks.replay({ id: theirs.id, messageId }, stranger))).toBe("webhook_message_not_found");
  expect(await reason(webhooks.replay({ id: uploads.id, messageId }, stranger))).toBe("endpoint_not_found");
  expect(await reason(webhooks.replay({ id: uploads.id }, owner))).toBe("invalid_request");
  expect(await reason(webhooks.replay({ id: uploads.id, messageId, from: LONG_AGO }, owner))).toBe("invalid_request");
  expect(await reason(webhooks.replay({ id: uploads.id, from: "yesterday" }, owner))).toBe("invalid_request");
});

test("a time is sent in parts of 100, each message once, and only what is within it", async () => {
  const { id } = await createEndpoint(owner, receiver.url);
  await systemQuery(
    "test",
    `with message as (
       insert into webhooks.message (tenant_id, id, event_type, aggregate, body, created_at)
       select $1, gen_random_uuid(), 'auth.user.registered', 'user/' || n, '{}', now() - n % 7 * interval '1 minute' from generate_series(1, 220) n
       returning id, created_at)
     insert into webhooks.delivery (id, tenant_id, endpoint_id, message_id, state, created_at, ended_at)
     select gen_random_uuid(), $1, $2, id, 'failed', created_at, now() from message`,
    [owner.tenantId, id],
  );
  const parts: number[] = [];
  let cursor: string | undefined;
  do {
    const part = await webhooks.replay({ id, from: LONG_AGO, ...(cursor === undefined ? {} : { cursor }) }, owner);
    parts.push(part.replayed);
    cursor = part.next;
  } while (cursor !== undefined);
  expect(parts).toEqual([100, 100, 20]);
  const again = await systemQuery<{ n: number }>(
    "test",
    "select count(*)::int as n from webhooks.delivery where tenant_id = $1 and state = 'pending' group by message_id",
    [owner.tenantId],
  );
  expect(again.map(({ n }) => n)).toEqual(Array.from({ length: 220 }, () => 1));
  const until = new Date(Date.now() - 90_000).toISOString();
  const { replayed } = await webhooks.replay({ id, from: LONG_AGO, until, which: "all" }, owner);
  // All of them are on their way.
  expect(replayed).toBe(0);
});

test("what is replayed to an endpoint that asks for order waits for what came before", async () => {
  const { id } = await createEndpoint(owner, receiver.url, { ordering: "aggregate" });
  const first = await send(owner.tenantId, { aggregateId: "a" });
  await runAttempts(owner.tenantId);
  const second = await send(owner.tenantId, { aggregateId: "a" });
  await webhooks.replay({ id, messageId: first }, owner);
  expect(await states(owner.tenantId)).toEqual(["delivered", "pending", "waiting"]);
  await runAttempts(owner.tenantId);
  await runAttempts(owner.tenantId);
  expect(ids()).toEqual([first, second, first]);
});

test("a test message arrives whatever types are asked for, at this endpoint alone", async () => {
  const endpoint = await createEndpoint(owner, receiver.url, { eventTypes: ["assets.asset.deleted"] });
  await createEndpoint(owner, receiver.url);
  const { messageId } = await webhooks.sendTest({ id: endpoint.id }, owner);
  expect(await runAttempts(owner.tenantId)).toEqual(["delivered"]);
  const [{ body, headers }] = receiver.received as [(typeof receiver.received)[number]];
  const event = new Webhook(endpoint.secret).verify(body, headers as Record<string, string>);
  expect(event).toMatchObject({ id: messageId, type: "webhooks.test", subject: { id: endpoint.id } });
  await webhooks.updateEndpoint({ id: endpoint.id, status: "disabled" }, owner);
  expect(await reason(webhooks.sendTest({ id: endpoint.id }, owner))).toBe("endpoint_disabled");
});

test("while keys are replaced both sign, and the old ones no longer than that", async () => {
  const endpoint = await createEndpoint(owner, receiver.url);
  const { id } = endpoint;
  const verifies = async (secrets: string[]): Promise<boolean[]> => {
    await send(owner.tenantId);
    expect(await runAttempts(owner.tenantId)).toEqual(["delivered"]);
    const { body, headers } = receiver.received.at(-1)!;
    return secrets.map((secret) => {
      try {
        new Webhook(secret).verify(body, headers as Record<string, string>);
        return true;
      } catch {
        return false;
      }
    });
  };
  const second = await webhooks.rotateEndpoint({ id, overlapHours: 1 }, owner);
  expect(second).toMatchObject({ id, previousKeysUntil: expect.any(String) as string });
  expect(await verifies([endpoint.secret, second.secret])).toEqual([true, true]);
  const now = Date.now() + 3_601_000;
  vi.useFakeTimers({ toFake: ["Date"], now });
  const later = vi.spyOn(databaseClock, "nowMs").mockReturnValue(now);
  expect(await verifies([endpoint.secret, second.secret])).toEqual([false, true]);
  later.mockRestore();
  vi.useRealTimers();
  // The answer with the second ones was lost, and whoever asks again leaves what the receiver knows.
  const third = await webhooks.rotateEndpoint({ id }, owner);
  expect(await verifies([endpoint.secret, second.secret, third.secret])).toEqual([true, true, true]);
  const again = await webhooks.rotateEndpoint({ id }, owner);
  const all = [endpoint.secret, second.secret, third.secret, again.secret];
  expect(await verifies(all)).toEqual([true, false, true, true]);
  const { previousKeysUntil, ...fourth } = await webhooks.rotateEndpoint({ id, overlapHours: 0 }, owner);
  expect(previousKeysUntil).toBeUndefined();
  expect(await verifies([second.secret, third.secret, fourth.secret])).toEqual([false, false, true]);
  // As a version before kept one that had ended: it does not say until when.
  const [newest, ended] = [createSigningKeys(), createSigningKeys()];
  await withTenant(owner, (tx) => putKeys(tx, owner, id, [newest, ended]));
  expect(await verifies([newest.secret, ended.secret])).toEqual([true, false]);
  expect(await reason(webhooks.rotateEndpoint({ id, overlapHours: 1.5 }, owner))).toBe("invalid_request");
  expect(await reason(webhooks.rotateEndpoint({ id }, await createOrganisation()))).toBe("endpoint_not_found");
});
