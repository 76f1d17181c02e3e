// What an operator does with a subscription's messages: look at the dead letters, deliver them again
// (redrive), deliver handled ones again (replay). For the commands and the console.
import type { Job } from "bullmq";
import { HANDLED_KEPT, type Broker } from "./broker";
import { queueName, subscriptionOf, type Envelope } from "./envelope";

export interface SubscriptionName {
  topic: string;
  subscription: string;
}

export interface DeadLetter extends SubscriptionName {
  messageId: string;
  publishedAt: Date;
  failedAt: Date;
  /** Deliveries, the last included. */
  attempts: number;
  reason: string;
  /** The error's stack, when the handler threw one. */
  error: string | null;
  /** Trace of the last delivery; null when the process died in it. */
  traceId: string | null;
  /** The message as published. */
  body: unknown;
}

export interface SubscriptionCounts extends SubscriptionName {
  waiting: number;
  active: number;
  delayed: number;
  deadLetters: number;
}

function toDeadLetter(name: SubscriptionName, job: Job<Envelope>): DeadLetter {
  const { id, publishedAt, body, failure } = job.data;
  return {
    ...name,
    messageId: id,
    publishedAt: new Date(publishedAt),
    failedAt: new Date(job.finishedOn ?? publishedAt),
    attempts: failure?.attempt ?? job.attemptsStarted,
    reason: job.failedReason,
    error: job.stacktrace?.at(-1) ?? null,
    traceId: failure?.traceId ?? null,
    body: JSON.parse(body) as unknown,
  };
}

/** Dead letters, newest first. */
export async function listDeadLetters(
  broker: Broker,
  name: SubscriptionName,
  { limit = 100, offset = 0 } = {},
): Promise<DeadLetter[]> {
  const queue = await broker.queue(queueName(name.topic, name.subscription));
  const jobs = await queue.getFailed(offset, offset + limit - 1);
  return jobs.filter((job) => job !== undefined).map((job) => toDeadLetter(name, job));
}

export async function countMessages(broker: Broker, name: SubscriptionName): Promise<SubscriptionCounts> {
  const queue = await broker.queue(queueName(name.topic, name.subscription));
  const counts = await queue.getJobCounts("waiting", "active", "delayed", "failed");
  return {
    ...name,
    waiting: counts.waiting ?? 0,
    active: counts.active ?? 0,
    delayed: counts.delayed ?? 0,
    deadLetters: counts.failed ?? 0,
  };
}

async function deliverAgain(
  broker: Broker,
  queue: string,
  jobs: Job<Envelope>[],
  state: "failed" | "completed",
): Promise<number> {
  let moved = 0;
  for (const job of jobs) {
    // A message that somebody else moved in between is no error: it is being delivered.
    const done = await job.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: true }).then(
      () => true,
      () => false,
    );
    if (done) moved += 1;
  }
  if (moved > 0) broker.wake(queue);
  return moved;
}

/**
 * Puts dead letters back into the subscription's queue with a full set of retries.
 * @param messageIds only these; all when absent
 * @returns how many were put back
 */
export async function redrive(broker: Broker, name: SubscriptionName, messageIds?: readonly string[]): Promise<number> {
  const queue = await broker.queue(queueName(name.topic, name.subscription));
  const wanted = messageIds && new Set(messageIds);
  const jobs = (await queue.getFailed()).filter((job) => job !== undefined && (!wanted || wanted.has(job.data.id)));
  return deliverAgain(broker, queue.name, jobs.reverse(), "failed");
}

/**
 * Delivers messages again that this subscription has handled; the newest 1000 are kept for that.
 * @param since only messages published at or after this time
 * @returns how many were put back
 */
export async function replay(broker: Broker, name: SubscriptionName, since: Date): Promise<number> {
  const queue = await broker.queue(queueName(name.topic, name.subscription));
  const handled = await queue.getCompleted(0, HANDLED_KEPT - 1);
  const jobs = handled.filter((job) => job !== undefined && job.data.publishedAt >= since.getTime());
  return deliverAgain(
    broker,
    queue.name,
    jobs.sort((a, b) => a.data.publishedAt - b.data.publishedAt),
    "completed",
  );
}

/** Removes dead letters for good; returns how many. A message that is none is left alone. */
export async function discardDeadLetters(
  broker: Broker,
  name: SubscriptionName,
  messageIds: readonly string[],
): Promise<number> {
  const queue = await broker.queue(queueName(name.topic, name.subscription));
  const removed = await Promise.all(
    messageIds.map(async (id) => ((await queue.getJobState(id)) === "failed" ? queue.remove(id) : 0)),
  );
  return removed.reduce((sum, count) => sum + count, 0);
}

/** What is left of subscriptions that the app has no more: nobody takes it, unless another version of the app that runs has them. */
export async function listRemoved(broker: Broker, known: readonly SubscriptionName[]): Promise<SubscriptionCounts[]> {
  const own = new Set(known.map(({ topic, subscription }) => queueName(topic, subscription)));
  const left = (await broker.queueNames())
    .filter((name) => !own.has(name))
    .flatMap((name) => subscriptionOf(name) ?? []);
  return Promise.all(left.map((name) => countMessages(broker, name)));
}

/**
 * Removes all that is left of a subscription; resolves with what that was, undefined when there was nothing. Rejects while a message
 * of it is in hand.
 */
export async function forgetSubscription(
  broker: Broker,
  name: SubscriptionName,
): Promise<SubscriptionCounts | undefined> {
  const queue = queueName(name.topic, name.subscription);
  if (!(await broker.queueNames()).includes(queue)) return undefined;
  const counts = await countMessages(broker, name);
  await broker.removeQueue(queue);
  return counts;
}
