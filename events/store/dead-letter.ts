// Statements on events.dead_letter: events a consumer has given up on.
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
  extra: {
    aggregateType: "aggregate_type",
    aggregateId: "aggregate_id",
    type: "type",
    version: "version",
    occurredAt: "occurred_at",
  },
});
