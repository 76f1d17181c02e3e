// Dead letters of events, for the people of the tenant they belong to; and the upkeep of the tables.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, Min } from "encore.dev/validate";
import { isUuid } from "../db/ids";
import { withTenant } from "../db/tenant";
import { currentPrincipal } from "../security/principal";
import { redriveEvent } from "./dead-letters";
import { errors } from "./errors";
import { purgeExpired } from "./retention";
import { deadLetterList } from "./store/dead-letter";

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
  reason: string;
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
    const limit = req.limit ?? 50;
    const rows = await withTenant(principal, (tx) =>
      deadLetterList(tx, principal.tenantId, limit, parseCursor(req.after)),
    );
    const deadLetters = rows.map(
      ({
        id,
        consumer,
        eventId,
        type,
        version,
        aggregateType,
        aggregateId,
        reason,
        error,
        traceId,
        attempts,
        deadAt,
      }) => ({
        id,
        consumer,
        eventId,
        type,
        version,
        aggregateType,
        aggregateId,
        reason,
        error,
        traceId,
        attempts,
        deadAt: deadAt.toISOString(),
      }),
    );
    const last = deadLetters.at(-1);
    return last && rows.length === limit ? { deadLetters, next: `${last.deadAt}_${last.id}` } : { deadLetters };
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

export const purgeHourly = new CronJob("events-purge", {
  title: "Delete published events past their retention",
  every: "1h",
  endpoint: purge,
});

/** A cursor that is none starts from the beginning. */
function parseCursor(text: string | undefined): { deadAt: Date; id: string } | null {
  const [time, id] = text?.split("_") ?? [];
  const deadAt = new Date(time ?? "");
  return id !== undefined && isUuid(id) && !Number.isNaN(deadAt.getTime()) ? { deadAt, id } : null;
}
