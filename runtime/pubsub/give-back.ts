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

/** When a message that is given back comes again: after the pause and up to as much more, a hundred a second at most. */
export class GiveBackPace {
  #lastAtMs = -Infinity;

  constructor(
    private readonly pauseMs: number,
    private readonly nowMs: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  nextDelayMs(): number {
    const now = this.nowMs();
    this.#lastAtMs = Math.max(this.#lastAtMs + SPACING_MS, now + this.pauseMs);
    return Math.round(this.#lastAtMs - now + this.pauseMs * this.random());
  }
}

/** BullMQ knows it by its name: the message was put back, which is neither success nor failure. */
class DelayedError extends Error {
  override readonly name = "DelayedError";
}

type Message = Job<Envelope>;

/** The processor, for a worker of BullMQ. `putBack` makes a message one that was not delivered and is due at the time given. */
export function givingBack(
  processor: Processor,
  pauseMs: number,
  putBack: (job: Message, dueAtMs: number) => Promise<void>,
): (job: Message) => Promise<void> {
  const pace = new GiveBackPace(pauseMs);
  return async (job) => {
    try {
      await processor(job);
    } catch (error) {
      if (!(error instanceof GivenBackError)) throw error;
      await putBack(job, Date.now() + pace.nextDelayMs());
      throw new DelayedError();
    }
  };
}
