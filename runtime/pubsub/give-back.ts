// A courtesy to an app of which several versions run: an error of its subscription handlers that has `true` under
// `Symbol.for("groundwork.give-back")` says that this process can't take the message and another one may. That is no attempt:
// nothing is counted, no wait grows, nothing is given up. The message keeps its place and comes again soon, to
// whichever process asks first. Encore's own transports don't know it: there it is a failure like any other.
// Google's Pub/Sub (modifyAckDeadline) and SQS (ChangeMessageVisibility) give back too, and count it as a delivery.
import type { Job } from "bullmq";
import { GivenBackError, type Processor } from "./broker";
import type { Envelope } from "./envelope";

const key = Symbol.for("groundwork.give-back");

export const isGivenBack = (thrown: unknown): boolean =>
  typeof thrown === "object" && thrown !== null && (thrown as { [key: symbol]: unknown })[key] === true;

/** Between two messages that come again: many of them cost a process little, however long they wait. */
const SPACING_MS = 10;
/** Part of its age that a message waits, and for how long at most: soon while a deployment is under way, seldom after a way back that lasts. */
const AGE_SHARE = 1 / 20;
const PAUSE_MS_MAX = 60_000;

/**
 * When a message that is given back comes again: after a pause that grows with its age, and up to as much more; a hundred a second
 * at most of what one process gives back.
 */
export class GiveBackPace {
  #spacedUntilMs = -Infinity;

  constructor(
    private readonly pauseMs: number,
    private readonly nowMs: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  /** @param ageMs since it was published, by clocks that need not agree */
  nextDelayMs(ageMs: number): number {
    const now = this.nowMs();
    this.#spacedUntilMs = Math.max(this.#spacedUntilMs + SPACING_MS, now);
    const pauseMs = Math.max(this.pauseMs, Math.min(PAUSE_MS_MAX, ageMs * AGE_SHARE));
    return Math.round(this.#spacedUntilMs - now + pauseMs * (1 + this.random()));
  }
}

/** BullMQ knows it by its name: the message was put back, which is neither success nor failure. */
class DelayedError extends Error {
  override readonly name = "DelayedError";
}

type Message = Job<Envelope>;

/** The processor, for a worker of BullMQ. `putBack` makes a message one that was not delivered and is due after the time given. */
export function givingBack(
  processor: Processor,
  pace: GiveBackPace,
  putBack: (job: Message, delayMs: number) => Promise<void>,
): (job: Message) => Promise<void> {
  return async (job) => {
    try {
      await processor(job);
    } catch (error) {
      if (!(error instanceof GivenBackError)) throw error;
      await putBack(job, pace.nextDelayMs(Date.now() - job.data.publishedAt));
      throw new DelayedError();
    }
  };
}
