// Dead letters of events, for the people of the tenant they belong to; and the upkeep of the tables.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { parseCursor } from "../db/cursor";
import { withTenant } from "../db/tenant";
import { currentPrincipal } from "../security/principal";
import { parseChangingFilter, parseLetterFilter, type HandledLetters } from "./dead-letter-desk";
import { discardEvents, redriveEvents, shownEvent } from "./dead-letters";
import { errors } from "./errors";
import { purgeExpired } from "./retention";
import { deadLetters } from "./store/dead-letter";

export interface ListDeadLettersRequest {
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

export interface DeadLetter {
  id: string;
  consumer: string;
  eventId: string;
  type: string;
  version: number;
  aggregateType: string;
  aggregateId: string;
  /** Why, in one lower_snake word. */
  reason: string;
  /** The reason in words; what exactly went wrong is in the logs under traceId. */
  error: string;
  traceId: string | null;
  attempts: number;
  /** ISO 8601. */
  deadAt: string;
}

interface ListDeadLettersResponse {
  deadLetters: DeadLetter[];
  /** Absent on the last page. */
  next?: string;
}

/** The tenant's open dead letters that match, newest first. */
export const listDeadLetters = api(
  { expose: true, auth: true, method: "GET", path: "/events/dead-letters", tags: ["can:event.read"] },
  async (req: ListDeadLettersRequest): Promise<ListDeadLettersResponse> => {
    const principal = currentPrincipal();
    const cursor = parseCursor(req.cursor);
    const filter = parseLetterFilter({ ...req, source: req.consumer });
    const { rows, next } = await withTenant(principal, (tx) =>
      deadLetters.list(tx, principal.tenantId, filter, Math.floor(req.limit ?? 50), cursor),
    );
    return { deadLetters: rows.map(shownEvent), ...(next === undefined ? {} : { next }) };
  },
);

/** All that it names must be true of a dead letter; it must name something. */
interface DeadLetterFilter {
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

export interface DeadLettersRequest {
  filter: DeadLetterFilter;
}

export interface RedrivenDeadLettersResponse {
  /** How many were sent again, 500 at most. */
  redriven: number;
  /** True: ask again for the rest. */
  more: boolean;
}

export interface DiscardedDeadLettersResponse {
  /** How many were discarded, 500 at most. */
  discarded: number;
  /** True: ask again for the rest. */
  more: boolean;
}

/** Sends open dead letters once more to the consumers that gave them up, the oldest first. */
export const redriveDeadLetters = api(
  { expose: true, auth: true, method: "POST", path: "/events/dead-letters/redrive", tags: ["can:event.redrive"] },
  async (req: DeadLettersRequest): Promise<RedrivenDeadLettersResponse> => {
    const { count, isMore } = await inOwnTenant(req, redriveEvents);
    return { redriven: count, more: isMore };
  },
);

/** Closes open dead letters for good: their consumers do not get these events again. */
export const discardDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/events/dead-letters/discard",
    tags: ["can:event.discard", "fresh"],
  },
  async (req: DeadLettersRequest): Promise<DiscardedDeadLettersResponse> => {
    const { count, isMore } = await inOwnTenant(req, discardEvents);
    return { discarded: count, more: isMore };
  },
);

async function inOwnTenant({ filter }: DeadLettersRequest, act: typeof redriveEvents): Promise<HandledLetters> {
  const principal = currentPrincipal();
  const wanted = parseChangingFilter({ ...filter, source: filter.consumer });
  const handled = await withTenant(principal, (tx) => act(tx, { tenantId: principal.tenantId, filter: wanted }));
  if (handled.count === 0 && filter.ids !== undefined) throw errors.dead_letter_not_found();
  return handled;
}

export const purge = api({ expose: false, method: "POST", path: "/events/purge" }, async (): Promise<void> => {
  await purgeExpired();
});

export const purgeOften = new CronJob("events-purge", {
  title: "Delete published events, inbox rows and dead letters past their retention",
  every: "10m",
  endpoint: purge,
});
