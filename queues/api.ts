// Dead letters of jobs, for the people of the tenant they belong to.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, Min } from "encore.dev/validate";
import { parseCursor } from "../db/cursor";
import { isUuid } from "../db/ids";
import { withTenant } from "../db/tenant";
import { currentPrincipal } from "../security/principal";
import { shownDeadLetter } from "../events/dead-letters";
import { purgeDeadJobs, redriveJob } from "./dead-letters";
import { errors } from "./errors";
import { jobDeadLetters } from "./store/dead-letter";

interface ListJobDeadLettersRequest {
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the previous page. */
  after?: Query<string>;
}

interface JobDeadLetter {
  id: string;
  /** Job name, "domain:action". */
  job: string;
  jobId: string;
  /** Why, in one lower_snake word. */
  reason: string;
  /** The reason in words; what exactly went wrong is in the logs under traceId. */
  error: string;
  traceId: string | null;
  attempts: number;
  /** ISO 8601. */
  deadAt: string;
}

interface ListJobDeadLettersResponse {
  deadLetters: JobDeadLetter[];
  /** Absent on the last page. */
  next?: string;
}

/** The tenant's open dead letters, newest first. */
export const listDeadLetters = api(
  { expose: true, auth: true, method: "GET", path: "/queues/dead-letters", tags: ["can:job.read"] },
  async (req: ListJobDeadLettersRequest): Promise<ListJobDeadLettersResponse> => {
    const principal = currentPrincipal();
    const cursor = parseCursor(req.after, "after");
    const { rows, next } = await withTenant(principal, (tx) =>
      jobDeadLetters.list(tx, principal.tenantId, Math.floor(req.limit ?? 50), cursor),
    );
    const shown = rows.map((row) => {
      const { id, reason, error, traceId, attempts, deadAt } = shownDeadLetter(row);
      return { id, job: row.source, jobId: row.messageId, reason, error, traceId, attempts, deadAt };
    });
    return { deadLetters: shown, ...(next === undefined ? {} : { next }) };
  },
);

interface RedriveJobRequest {
  id: string;
}

/** Runs the job once more, with all its attempts. */
export const redriveDeadLetter = api(
  { expose: true, auth: true, method: "POST", path: "/queues/dead-letters/:id/redrive", tags: ["can:job.redrive"] },
  async (req: RedriveJobRequest): Promise<void> => {
    const isRedriven = isUuid(req.id) && (await withTenant(currentPrincipal(), (tx) => redriveJob(tx, req.id)));
    if (!isRedriven) throw errors.dead_letter_not_found();
  },
);

export const purge = api({ expose: false, method: "POST", path: "/queues/purge" }, async (): Promise<void> => {
  await purgeDeadJobs();
});

export const purgeDaily = new CronJob("queues-purge", {
  title: "Delete dead letters of jobs past their retention",
  every: "24h",
  endpoint: purge,
});
