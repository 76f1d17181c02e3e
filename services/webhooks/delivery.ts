// One attempt at a delivery. What it knows is read before it asks and judged again after: of two runs of one attempt (a process was killed
// in between) one says what became of it, and the receiver has had the message twice, under one id. So everything arrives at least once,
// unless the receiver refuses it for days.
//   it answered 2xx        delivered
//   it answered 410        the endpoint is disabled at once
//   anything else          another attempt after the schedule's delay; none after the last; an endpoint that fails for days is disabled
//   there was no turn      no attempt: asked for again
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { newId } from "../../db/ids";
import { withTenant, type Tx } from "../../db/tenant";
import { endpointDisabled } from "../../events/catalog/webhooks";
import { emit } from "../../events/outbox";
import { databaseClock } from "../../security/database-clock";
import type { TenantId } from "../../security/principal";
import { enqueueAttempt, type AttemptPayload } from "./attempt-job";
import { readKeys } from "./keys";
import { NoAnswer, NoTurn, postInTurn, type Answer, type Posting } from "./post";
import { FAILING_MAX, nextDelayMs, postponedMs } from "./schedule";
import { signatureHeaders } from "./signing";
import {
  attemptInsert,
  deliveryFind,
  deliveryFindIn,
  deliveryMiss,
  deliveryRelease,
  deliverySettle,
  type DueDelivery,
} from "./store/deliveries";
import { endpointDisable, endpointFailed, endpointSucceeded, tenantLock, type DisabledReason } from "./store/endpoints";

const disabled = defineAction("webhooks.endpoint.disabled", { reason: "plain" });

/** `stale`: it was over, or is somebody else's by now. */
export type AttemptOutcome = "delivered" | "failed" | "missed" | "postponed" | "stale";

/** What the receiver did, as it is told. */
interface Told {
  httpStatus: number | null;
  /** Undefined when it took the message. */
  error: string | undefined;
  response: string | null;
  retryAfterMs: number;
  durationMs: number;
}

const GONE = 410;

export async function attemptDelivery(
  tenantId: TenantId,
  attempt: AttemptPayload,
  signal: AbortSignal,
  random: () => number = Math.random,
): Promise<AttemptOutcome> {
  const delivery = dueOf(await deliveryFind({ tenantId }, attempt.webhookDeliveryId), attempt);
  if (delivery === undefined) return "stale";
  if (!delivery.isActive) return missDelivery(tenantId, delivery);
  const told = await ask(tenantId, delivery, signal);
  if (told === "no_turn") return postpone(tenantId, attempt, random);
  return withTenant({ tenantId }, (tx) => settle(tx, { tenantId, delivery, attempt, told, random }));
}

function dueOf(delivery: DueDelivery | undefined, { number }: AttemptPayload): DueDelivery | undefined {
  return delivery?.state === "pending" && delivery.attempts === number - 1 ? delivery : undefined;
}

async function ask(tenantId: TenantId, delivery: DueDelivery, signal: AbortSignal): Promise<Told | "no_turn"> {
  let begunMs = performance.now();
  const tookMs = (): number => Math.round(performance.now() - begunMs);
  const { messageId: id, body, url } = delivery;
  const sign = async (): Promise<Posting> => {
    const keys = await readKeys({ tenantId }, delivery.endpointId);
    begunMs = performance.now();
    const timestamp = Math.floor(databaseClock.nowMs() / 1_000);
    const headers = {
      "content-type": "application/json",
      "user-agent": "Groundwork-Webhooks/1",
      ...signatureHeaders(keys, { id, timestamp, body }),
    };
    return { url, headers, body };
  };
  try {
    const answer = await postInTurn(delivery.endpointId, sign, signal);
    return { ...toldOf(answer), durationMs: tookMs() };
  } catch (error) {
    if (error instanceof NoTurn) return "no_turn";
    if (!(error instanceof NoAnswer)) throw error;
    return { httpStatus: null, error: error.failure, response: null, retryAfterMs: 0, durationMs: tookMs() };
  }
}

function toldOf({ status, response, retryAfterMs }: Answer): Omit<Told, "durationMs"> {
  const isTaken = status >= 200 && status < 300;
  const error = isTaken ? undefined : status === GONE ? "gone" : "refused";
  return { httpStatus: status, error, response, retryAfterMs };
}

interface Attempted {
  tenantId: TenantId;
  delivery: DueDelivery;
  attempt: AttemptPayload;
  told: Told;
  random: () => number;
}

/** What became of an attempt and what follows from it: all of it or nothing. */
async function settle(tx: Tx, { tenantId, delivery, attempt, told, random }: Attempted): Promise<AttemptOutcome> {
  const { id, endpointId, aggregate, messageId, eventType } = delivery;
  const { number } = attempt;
  if (aggregate !== null) await tenantLock(tx, tenantId);
  const isTaken = told.error === undefined;
  const nextInMs = isTaken || told.error === "gone" ? undefined : nextDelayMs(number, random, told.retryAfterMs);
  const state = isTaken ? "delivered" : nextInMs === undefined ? "failed" : "pending";
  if (!(await deliverySettle(tx, { tenantId, id }, { number, state }))) return "stale";
  attemptInsert(tx, {
    ...{ id: newId(), tenantId, endpointId, deliveryId: id, messageId, eventType, number },
    ...{ outcome: isTaken ? "delivered" : "failed", httpStatus: told.httpStatus, error: told.error ?? null },
    ...{ response: told.response, durationMs: told.durationMs, nextInMs: nextInMs ?? null },
  });
  if (nextInMs !== undefined)
    await enqueueAttempt(tx, { webhookDeliveryId: id, number: number + 1, postponed: 0 }, nextInMs);
  else await releaseNext(tx, tenantId, delivery);
  if (isTaken) endpointSucceeded(tx, tenantId, endpointId);
  // What we did not do, or not to its end, says nothing of the receiver.
  else if (told.error !== "not_made" && told.error !== "cut_short")
    await noteFailure(tx, tenantId, delivery, told.error);
  return isTaken ? "delivered" : "failed";
}

/** The next of its aggregate begins when this one is over. The tenant is locked. */
async function releaseNext(tx: Tx, tenantId: TenantId, { endpointId, aggregate }: DueDelivery): Promise<void> {
  if (aggregate === null) return;
  const next = await deliveryRelease(tx, { tenantId, endpointId, aggregate });
  if (next !== undefined) await enqueueAttempt(tx, { webhookDeliveryId: next, number: 1, postponed: 0 });
}

async function noteFailure(
  tx: Tx,
  tenantId: TenantId,
  { endpointId: id }: DueDelivery,
  error: string | undefined,
): Promise<void> {
  const isOver = await endpointFailed(tx, { tenantId, id }, FAILING_MAX);
  if (error === "gone") await disableEndpoint(tx, tenantId, id, "gone");
  else if (isOver) await disableEndpoint(tx, tenantId, id, "failing");
}

/** Whoever may enable it again is told by the event (auth/subscriptions.ts mails them). */
async function disableEndpoint(
  tx: Tx,
  tenantId: TenantId,
  endpointId: string,
  reason: Exclude<DisabledReason, "by_hand">,
): Promise<void> {
  const gone = await endpointDisable(tx, { tenantId, id: endpointId }, reason);
  if (gone === undefined) return;
  const about = { aggregateType: "webhook_endpoint", aggregateId: endpointId };
  await emit(tx, endpointDisabled, { endpointId, host: new URL(gone.url).host, reason }, about);
  const target = { type: "webhook_endpoint", id: endpointId };
  await record(tx, disabled, { tenantId, target, fields: { reason } });
}

function missDelivery(tenantId: TenantId, delivery: DueDelivery): Promise<AttemptOutcome> {
  return withTenant({ tenantId }, async (tx): Promise<AttemptOutcome> => {
    if (delivery.aggregate !== null) await tenantLock(tx, tenantId);
    if (!(await deliveryMiss(tx, tenantId, delivery.id))) return "stale";
    await releaseNext(tx, tenantId, delivery);
    return "missed";
  });
}

function postpone(tenantId: TenantId, attempt: AttemptPayload, random: () => number): Promise<AttemptOutcome> {
  const postponed = attempt.postponed + 1;
  return withTenant({ tenantId }, async (tx): Promise<AttemptOutcome> => {
    await enqueueAttempt(tx, { ...attempt, postponed }, postponedMs(postponed, random));
    return "postponed";
  });
}

/** Our own fault: an attempt that failed like any other, so that the delivery goes on. */
export async function settleUnmade(tx: Tx, tenantId: TenantId, attempt: AttemptPayload): Promise<void> {
  const delivery = dueOf(await deliveryFindIn(tx, tenantId, attempt.webhookDeliveryId), attempt);
  if (delivery === undefined) return;
  const told = { httpStatus: null, error: "not_made", response: null, retryAfterMs: 0, durationMs: 0 };
  await settle(tx, { tenantId, delivery, attempt, told, random: Math.random });
}
