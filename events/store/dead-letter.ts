// Statements on events.dead_letter: events a consumer has given up on.
import { REDRIVE_CONSUMER, REDRIVE_OF } from "../topic";
import { deadLetterTable } from "./dead-letter-table";

export interface EventFacts {
  aggregateType: string;
  aggregateId: string;
  type: string;
  version: number;
  occurredAt: Date | string;
}

/** How long a dead letter can be looked at and redriven. */
export const DEAD_LETTER_DAYS = 90;

export const deadLetters = deadLetterTable<EventFacts>({
  table: "events.dead_letter",
  source: "consumer",
  messageId: "event_id",
  // To the one consumer that gave up, under the event's own id, so that others know it already.
  redriven: {
    destination: "'event'",
    aggregateType: "l.aggregate_type",
    aggregateId: "l.aggregate_id",
    type: "l.type",
    version: "l.version",
    headers: `l.headers || jsonb_build_object('${REDRIVE_OF}', l.event_id, '${REDRIVE_CONSUMER}', l.consumer)`,
    occurredAt: "l.occurred_at",
  },
  extra: {
    aggregateType: "aggregate_type",
    aggregateId: "aggregate_id",
    type: "type",
    version: "version",
    occurredAt: "occurred_at",
  },
});
