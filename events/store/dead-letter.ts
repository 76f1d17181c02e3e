// Statements on events.dead_letter: events a consumer has given up on.
import { systemQuery } from "../../db/tenant";
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

/** Who gave up what could not be handed over: this, and the destination (migration 2). No consumer's name begins so. */
export const RELAY = "relay:";
const IS_RELAYS = `starts_with(l.consumer, '${RELAY}')`;

/** The moment by the clock that dead letters have theirs from. */
export async function letterNow(): Promise<Date | undefined> {
  return (await systemQuery<{ at: Date }>("platform-dead-letters", "select now() as at"))[0]?.at;
}

export const deadLetters = deadLetterTable<EventFacts>({
  table: "events.dead_letter",
  source: "consumer",
  messageId: "event_id",
  // To the one consumer that gave up, or where the relay could not hand it over, under the event's own id, so that who
  // has it already knows it.
  redriven: {
    destination: `case when ${IS_RELAYS} then substr(l.consumer, ${RELAY.length + 1}) else 'event' end`,
    aggregateType: "l.aggregate_type",
    aggregateId: "l.aggregate_id",
    type: "l.type",
    version: "l.version",
    headers: `l.headers - 'held-position' || jsonb_build_object('${REDRIVE_OF}', l.event_id) || case when ${IS_RELAYS} then '{}' else jsonb_build_object('${REDRIVE_CONSUMER}', l.consumer) end`,
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
