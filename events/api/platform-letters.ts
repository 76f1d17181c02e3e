// Dead letters of the platform's own events, for its staff. Those of an organisation are its own (../api.ts).
import { api, type Header, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { operatorReasonFrom } from "../../audit/operator";
import { parseCursor } from "../../db/cursor";
import { publicTextOf } from "../dead-letters";
import { errors } from "../errors";
import { platformEvents } from "../platform-letters";

interface PlatformLettersRequest {
  /** Only those of this consumer. */
  consumer?: Query<string & MaxLen<200>>;
  /** Only events of this type. */
  type?: Query<string & MaxLen<200>>;
  /** Only those given up for this reason. */
  reason?: Query<string & MaxLen<100>>;
  /** Given up at this moment or later, ISO 8601. */
  from?: Query<string>;
  /** Given up before this moment, ISO 8601. */
  until?: Query<string>;
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the previous page. */
  cursor?: Query<string>;
}

interface PlatformLetter {
  id: string;
  consumer: string;
  eventId: string;
  type: string;
  version: number;
  aggregateType: string;
  aggregateId: string;
  /** Why, in one lower_snake word. */
  reason: string;
  /** The reason in words. */
  error: string;
  /** What exactly went wrong. */
  internalError: string;
  traceId: string | null;
  attempts: number;
  /** ISO 8601. */
  deadAt: string;
}

interface PlatformLettersResponse {
  deadLetters: PlatformLetter[];
  /** Absent on the last page. */
  next?: string;
}

/** The open dead letters that match of events without an organisation, newest first. */
export const operatorListDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/events/dead-letters",
    tags: ["can:operator.dead_letter.read"],
  },
  async ({ consumer, limit, cursor, ...rest }: PlatformLettersRequest): Promise<PlatformLettersResponse> => {
    const { rows, next } = await platformEvents.list(
      { ...rest, source: consumer },
      Math.floor(limit ?? 50),
      parseCursor(cursor),
    );
    const deadLetters = rows.map((row) => {
      const { id, type, version, aggregateType, aggregateId, reason, internalError = "", traceId, attempts } = row;
      const about = { consumer: row.source, eventId: row.messageId, type, version, aggregateType, aggregateId };
      const why = { reason, error: publicTextOf(reason), internalError };
      return { id, ...about, ...why, traceId, attempts, deadAt: row.deadAt.toISOString() };
    });
    return { deadLetters, ...(next === undefined ? {} : { next }) };
  },
);

/** All that it names must be true of a dead letter; it must name something. */
interface PlatformLetterFilter {
  ids?: string[] & MaxLen<500>;
  consumer?: string & MaxLen<200>;
  /** Of the event. */
  type?: string & MaxLen<200>;
  reason?: string & MaxLen<100>;
  /** Given up at this moment or later, ISO 8601. */
  from?: string;
  /** Given up before this moment, ISO 8601. */
  until?: string;
}

interface ChangePlatformLettersRequest {
  filter: PlatformLetterFilter;
  /** What for: it stands in the installation's log. */
  purpose?: Header<"X-Operator-Reason">;
}

interface RedrivenPlatformLettersResponse {
  /** How many were sent again, 500 at most. */
  redriven: number;
  /** True: ask again for the rest. */
  more: boolean;
}

interface DiscardedPlatformLettersResponse {
  /** How many were discarded, 500 at most. */
  discarded: number;
  /** True: ask again for the rest. */
  more: boolean;
}

/** Sends open ones once more to the consumers that gave them up, the oldest first. */
export const operatorRedriveDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/events/dead-letters/redrive",
    tags: ["can:operator.dead_letter.manage"],
  },
  async (req: ChangePlatformLettersRequest): Promise<RedrivenPlatformLettersResponse> => {
    const { count, isMore } = await change(req, platformEvents.redrive);
    return { redriven: count, more: isMore };
  },
);

/** Closes open ones for good: their consumers do not get these events again. */
export const operatorDiscardDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/events/dead-letters/discard",
    tags: ["can:operator.dead_letter.manage"],
  },
  async (req: ChangePlatformLettersRequest): Promise<DiscardedPlatformLettersResponse> => {
    const { count, isMore } = await change(req, platformEvents.discard);
    return { discarded: count, more: isMore };
  },
);

async function change({ filter, purpose }: ChangePlatformLettersRequest, act: typeof platformEvents.redrive) {
  const handled = await act({ ...filter, source: filter.consumer }, operatorReasonFrom(purpose));
  if (handled.count === 0 && filter.ids !== undefined) throw errors.dead_letter_not_found();
  return handled;
}
