// Giving an event up, and what becomes of it then. A redrive goes through the outbox like any event, addressed to the
// one consumer that gave up; the message carries the original event's id, so others know it already. queues/ uses the
// same table code, texts and desk.
import { defineAction } from "../audit/action";
import { newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";
import { deadLettersTotal } from "../telemetry/metrics";
import { parseTraceparent } from "../telemetry/tracing";
import { handleLetters, letterFields, type HandledLetters, type WantedLetters } from "./dead-letter-desk";
import { signalRelay } from "./signal";
import { deadLetters, type EventFacts } from "./store/dead-letter";
import type { ListedDeadLetter } from "./store/dead-letter-table";
import { inboxMarkDead, inboxReopen } from "./store/inbox";
import type { DomainEvent } from "./topic";

export { DEAD_LETTER_DAYS } from "./store/dead-letter";
export type { DeadLetterFilter } from "./store/dead-letter-filter";
export { deadLetterTable, type DeadLetter, type ListedDeadLetter } from "./store/dead-letter-table";

const redriven = defineAction("events.dead_letter.redriven", letterFields);
const discarded = defineAction("events.dead_letter.discarded", letterFields);

/** Text by reason for those whose event or job it was. What exactly went wrong is for operators and logs. */
const PUBLIC_TEXTS: Readonly<Record<string, string>> = {
  attempts_exhausted: "every attempt failed",
  payload_invalid: "its content does not fit its contract",
  not_of_the_platform: "only the application itself may say this",
  unknown_event: "no version of the application that runs knows this event",
  unrecoverable: "it failed in a way that no further attempt can help",
  not_handed_over: "it could not be handed to those it is for",
  stalled_too_often: "the processes that ran it kept ending",
  job_lost: "its job was lost",
};

/** What a tenant may read of a failure: made of the reason alone, so that nothing of the error can be in it. */
export function publicTextOf(reason: string): string {
  return PUBLIC_TEXTS[reason] ?? "it failed for good";
}

/** The trace a message belongs to, by its headers. */
export function traceIdOf(headers: Readonly<Record<string, string>>): string | null {
  return parseTraceparent(headers.traceparent)?.traceId ?? null;
}

/** How a dead letter is shown to its tenant. */
export function shownDeadLetter<L extends { reason: string; deadAt: Date }>(
  letter: L,
): Omit<L, "deadAt"> & { error: string; deadAt: string } {
  return { ...letter, error: publicTextOf(letter.reason), deadAt: letter.deadAt.toISOString() };
}

/** Of an event, as lists show it. */
export function shownEvent(row: ListedDeadLetter<EventFacts>) {
  const { id, source: consumer, messageId: eventId, ...facts } = shownDeadLetter(row);
  const { type, version, aggregateType, aggregateId, reason, error, traceId, attempts, deadAt } = facts;
  const about = { consumer, eventId, type, version, aggregateType, aggregateId };
  return { id, ...about, reason, error, traceId, attempts, deadAt };
}

export interface Burial {
  /** Why, in one lower_snake word: attempts_exhausted, payload_invalid, not_of_the_platform, unknown_event. */
  reason: string;
  error: string;
  attempts: number;
}

/** Records that `consumer` gave the event up, in the caller's transaction. */
export async function buryEvent(tx: Tx, consumer: string, message: DomainEvent, burial: Burial): Promise<void> {
  await inboxMarkDead(tx, consumer, message.id);
  await deadLetters.insert(tx, {
    id: newId(),
    tenantId: message.tenantId as TenantId | null,
    source: consumer,
    messageId: message.id,
    aggregateType: message.aggregateType,
    aggregateId: message.aggregateId,
    type: message.type,
    version: message.version,
    payload: message.payload,
    headers: message.headers,
    occurredAt: message.occurredAt,
    traceId: traceIdOf(message.headers),
    ...burial,
  });
  tx.afterCommit(() => deadLettersTotal.add(1, { source: "events" }));
}

/** Sends open dead letters once more to the consumers that gave them up, the oldest first, in the tenant's transaction. */
export function redriveEvents(tx: Tx, wanted: WantedLetters): Promise<HandledLetters> {
  return handleLetters(tx, wanted, deadLetters, redriven, async (ids) => {
    await inboxReopen(tx, ids);
    await deadLetters.redrive(tx, ids);
    tx.afterCommit(() => signalRelay("event"));
  });
}

/** Closes open dead letters for good: their consumers do not get these events again. */
export function discardEvents(tx: Tx, wanted: WantedLetters): Promise<HandledLetters> {
  return handleLetters(tx, wanted, deadLetters, discarded, (ids) => deadLetters.discard(tx, ids));
}
