// Dead letters of events, for the people of the tenant they belong to; and the upkeep of the tables.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, Min } from "encore.dev/validate";
import { parseCursor } from "../db/cursor";
import { isUuid } from "../db/ids";
import { withTenant } from "../db/tenant";
import { currentPrincipal } from "../security/principal";
import { redriveEvent, shownDeadLetter } from "./dead-letters";
import { errors } from "./errors";
import { purgeExpired } from "./retention";
import { deadLetters } from "./store/dead-letter";

interface ListDeadLettersRequest {
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the previous page. */
  after?: Query<string>;
}

interface DeadLetter {
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

/** The tenant's open dead letters, newest first. */
export const listDeadLetters = api(
  { expose: true, auth: true, method: "GET", path: "/events/dead-letters", tags: ["can:event.read"] },
  async (req: ListDeadLettersRequest): Promise<ListDeadLettersResponse> => {
    const principal = currentPrincipal();
    const cursor = parseCursor(req.after, "after");
    const { rows, next } = await withTenant(principal, (tx) =>
      deadLetters.list(tx, principal.tenantId, Math.floor(req.limit ?? 50), cursor),
    );
    const shown = rows.map((row) => {
      const { id, type, version, aggregateType, aggregateId, reason, error, traceId, attempts, deadAt } =
        shownDeadLetter(row);
      const about = { consumer: row.source, eventId: row.messageId, type, version, aggregateType, aggregateId };
      return { id, ...about, reason, error, traceId, attempts, deadAt };
    });
    return { deadLetters: shown, ...(next === undefined ? {} : { next }) };
  },
);

interface RedriveRequest {
  id: string;
}

/** Sends the event once more to the consumer that gave it up. */
export const redriveDeadLetter = api(
  { expose: true, auth: true, method: "POST", path: "/events/dead-letters/:id/redrive", tags: ["can:event.redrive"] },
  async (req: RedriveRequest): Promise<void> => {
    const isRedriven = isUuid(req.id) && (await withTenant(currentPrincipal(), (tx) => redriveEvent(tx, req.id)));
    if (!isRedriven) throw errors.dead_letter_not_found();
  },
);

export const purge = api({ expose: false, method: "POST", path: "/events/purge" }, async (): Promise<void> => {
  await purgeExpired();
});

export const purgeOften = new CronJob("events-purge", {
  title: "Delete published events, inbox rows and dead letters past their retention",
  every: "10m",
  endpoint: purge,
});
