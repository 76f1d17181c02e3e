// Deliveries that ended with the process. Whatever ended it may be in the event (poison), so an event that was lost is
// counted before its handler runs again, and given up when its attempts are used up by deaths alone. Beside it others
// were at work in the same process: they were lost too, and must not be counted for it. So those that were lost run one
// at a time, and only the one that runs is counted: each death costs one event one attempt.
// Sidekiq Pro ("super_fetch") gives a job up after three recoveries, whoever was to blame; BullMQ's stalled count, Oban's
// Lifeline and River's rescuer count the neighbours too.
import { currentRequest } from "encore.dev";
import { endsWithin } from "../telemetry/time-limit";

/** How often the event was delivered, this time included; 1 where the transport does not say. */
export function deliveryAttempt(): number {
  const request = currentRequest();
  return request?.type === "pubsub-message" ? request.deliveryAttempt : 1;
}

/** A handler that does not end lets the next one begin after so long. */
const TURN_MS_MAX = 60_000;

/** Runs what it is given one after the other. */
export class OneAtATime {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly turnMsMax: number = TURN_MS_MAX) {}

  async take<T>(run: () => Promise<T>): Promise<T> {
    const before = this.last;
    const turn = before.then(run);
    this.last = this.ended(before, turn);
    return turn;
  }

  /** Resolves when the turn that begins after `before` is over, or has taken too long. */
  private async ended(before: Promise<unknown>, turn: Promise<unknown>): Promise<void> {
    await before;
    await endsWithin(turn, this.turnMsMax).catch(() => undefined);
  }
}
