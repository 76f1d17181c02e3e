// The port behind topics and subscriptions. What it promises: a message that `add` resolved for is in every
// named queue and survives the process; a message is delivered until its handler returned or the processor
// gave it up; one that was given up stays readable for ninety days. What it leaves out: order across queues.
import type { Job, Queue } from "bullmq";
import type { Envelope } from "./envelope";

export type Delivery = Pick<Job<Envelope>, "data" | "attemptsMade" | "attemptsStarted" | "updateData">;

/** BullMQ's own handle, as far as operators need it; the same on every transport. */
export type MessageQueue = Pick<
  Queue<Envelope>,
  "name" | "clean" | "getFailed" | "getCompleted" | "getJobCounts" | "getJobState" | "remove" | "obliterate" | "resume"
>;

/** A message that is not to be delivered again. BullMQ knows it by its name; its own class would load all of BullMQ. */
export class UnrecoverableError extends Error {
  override readonly name = "UnrecoverableError";
}

/** A message that this process can't take and another may. */
export class GivenBackError extends Error {
  override readonly name = "GivenBackError";
}

/**
 * Throws to have the message delivered again after `backoffMs`; `UnrecoverableError` to give it up; `GivenBackError` to have it
 * delivered again soon, here or elsewhere, as if this delivery had not been.
 */
export type Processor = (delivery: Delivery) => Promise<void>;

export interface ConsumeOptions {
  concurrency: number;
  /** Milliseconds to wait after the n-th failed delivery, counted from 1. */
  backoffMs(failures: number): number;
  /** Deliveries that may end with the process before the message counts as the cause. */
  lostDeliveriesMax: number;
  /** Messages with the same `orderingKey` one after the other, oldest first, over all processes. */
  ordered: boolean;
  onError(error: Error): void;
}

export interface Consumer {
  /** Takes no more messages and resolves when the ones in flight are done. */
  close(): Promise<void>;
}

export interface Broker {
  /** Connects and prepares the broker's tables; resolves when messages can be added. */
  ready(): Promise<void>;
  /** Idempotent per message id and queue. */
  add(queues: readonly string[], message: Envelope): Promise<void>;
  consume(queue: string, processor: Processor, options: ConsumeOptions): Promise<Consumer>;
  queue(name: string): Promise<MessageQueue>;
  /** Names of all queues of subscriptions that there are, also of those that the app has no more. */
  queueNames(): Promise<string[]>;
  /** Removes a queue with all that is in it. Rejects, and leaves it as it was, while a message of it is in hand. */
  removeQueue(name: string): Promise<void>;
  /** Tells the consumers of this process, and of others where that is possible, to look at a queue. */
  wake(queue: string): void;
  close(): Promise<void>;
}

/** How long a broker may be silent before a delivery in flight counts as lost, and similar. Tests shorten them. */
export interface BrokerTimings {
  /** Lock on a message in flight, renewed at half time; milliseconds. */
  lockMs: number;
  /** How often lost deliveries are looked for; milliseconds. */
  lostCheckMs: number;
  /** How often queues are looked at when the broker announces messages; milliseconds. */
  pollAnnouncedMs: number;
  /** The same when it does not (embedded Postgres has no NOTIFY through its socket); milliseconds. */
  pollSilentMs: number;
  /** Before a message that a process gave back is delivered again; up to twice as long. Milliseconds. */
  giveBackMs: number;
  /** Wait between attempts to reach a broker that is away; milliseconds. */
  reconnectMs: number;
  /** A connection to Postgres that says nothing for so long while somebody waits is dropped; milliseconds. */
  silenceMs: number;
  /** How long a message that was given up can be looked at and delivered again; milliseconds. */
  deadLetterKeepMs: number;
  /** How often older ones are looked for; milliseconds. */
  upkeepMs: number;
}

export const defaultTimings: BrokerTimings = {
  lockMs: 20_000,
  lostCheckMs: 10_000,
  pollAnnouncedMs: 10_000,
  pollSilentMs: 1000,
  giveBackMs: 1000,
  reconnectMs: 1000,
  silenceMs: 30_000,
  deadLetterKeepMs: 90 * 86_400_000,
  upkeepMs: 3_600_000,
};

/** Handled messages that stay in a queue, so that they can be replayed. */
export const HANDLED_KEPT = 1000;
