// The job of one attempt at a delivery. The next attempt is another job, asked for in the transaction that says what became of this one.
import { z } from "zod";
import { RETRY } from "../../queues/conventions";
import { enqueue } from "../../queues/enqueue";
import { defineJob } from "../../queues/job";
import type { Tx } from "../../db/tenant";

const attemptPayload = z.object({
  webhookDeliveryId: z.uuid(),
  /** From 1. */
  number: z.int().positive(),
  /** How often it had no turn. */
  postponed: z.int().nonnegative(),
});

export type AttemptPayload = z.infer<typeof attemptPayload>;

export const deliverJob = defineJob({
  name: "webhooks:deliver",
  payload: attemptPayload,
  // Of our own faults: what the receiver does wrong is no failure of the job.
  retry: RETRY.standard,
  // More than a receiver has.
  timeoutMs: 30_000,
  concurrency: 64,
  // However many of its receivers hang.
  perTenant: { concurrency: 8 },
  isCancelable: false,
});

/** The same attempt is asked for once. */
export async function enqueueAttempt(tx: Tx, attempt: AttemptPayload, delayMs = 0): Promise<void> {
  const { webhookDeliveryId, number, postponed } = attempt;
  await enqueue(tx, deliverJob, attempt, { dedupeKey: `${webhookDeliveryId}/${number}/${postponed}`, delayMs });
}
