// Consumers that are held: nothing is delivered to them, and what is for them waits in a table, in the order of the outbox.
//   free      events go to the consumer
//   held      an operator paused it, or a replay is being made ready. The relay puts what is for it into events.held instead of
//             handing it over; so does a consumer with what the topic still brings it, and tells the topic that it is done.
//             So no attempt is counted and nothing grows old, whatever the transport; other consumers of the event go on.
//   draining  free again, and what waited goes back into the outbox for it alone, the oldest first. What is new of an
//             aggregate of which something waits is put by behind it, so that the order holds.
//   missing   no version of the app that runs declares the consumer: what waits, or is sent again to it alone, waits until one does
// The relay asks the table each time, because only so none overtakes; a consumer asks again after a second. Between the
// two stands the inbox (store/inbox.ts), which lets no event by that comes behind one which waits, none whose consumer is held by
// the time it is noted, so that no process begins one that does not know of the pause yet, and none that was put by since it was sent:
// a topic may deliver what it was told is done, and the copy in the outbox has its place behind others.
// River, Oban and BullMQ pause a queue by no longer taking from it: for a topic of many consumers, whose transport may be
// anybody's, that would let time, retries and the other consumers of the message decide.
import { withSystem } from "../db/tenant";
import { heldConsumers, heldInsertDelivered } from "./store/hold";
import type { DomainEvent } from "./topic";

/** Headers of an event that was held: its first position in the outbox, and how often it has been put by. Migration 61 writes them. */
export const HELD_POSITION = "held-position";
const HELD_ROUND = "held-round";

/** What a process knows is no older: it saves what is put by the transaction that the inbox would have ended. */
const FRESH_MS = 1_000;

/** Thrown inside a transaction whose consumer is held, so that nothing of it is noted. */
export class HeldError extends Error {
  override readonly name = "HeldError";
}

export class Holds {
  private held: ReadonlySet<string> = new Set();
  private readAtMs = -Infinity;
  private reading: Promise<void> | undefined;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Whether the consumer was held a second ago or less. Rejects when that cannot be known. */
  async isHeld(consumer: string): Promise<boolean> {
    if (this.nowMs() - this.readAtMs >= FRESH_MS) await (this.reading ??= this.read());
    return this.held.has(consumer);
  }

  /** This process changed something. */
  forget(): void {
    this.readAtMs = -Infinity;
  }

  private async read(): Promise<void> {
    const startedAtMs = this.nowMs();
    try {
      this.held = new Set(await heldConsumers());
      this.readAtMs = startedAtMs;
    } finally {
      this.reading = undefined;
    }
  }
}

/** This process's. */
export const holds = new Holds();

/** Where in the order of its aggregate an event stands that was held before; null for any other: behind all that wait. */
export function heldPosition(headers: Readonly<Record<string, string>>): number | null {
  const position = headers[HELD_POSITION];
  return position === undefined ? null : Number(position);
}

/** How often an event had been put by when it was handed over: a message of a round before is a repetition, and comes out of turn. */
export const heldRound = (headers: Readonly<Record<string, string>>): number => Number(headers[HELD_ROUND] ?? 0);

/** Puts by what the topic brought to a consumer that may be held. False when it is to be handled. */
export function holdDelivered(consumer: string, message: DomainEvent): Promise<boolean> {
  return withSystem("hold-events", (tx) => heldInsertDelivered(tx, consumer, message, heldPosition(message.headers)));
}
