// Dead letters of jobs, for the people of the tenant they belong to.
import { api, type Query } from "encore.dev/api";
import type { Max, Min } from "encore.dev/validate";
import { isUuid } from "../db/ids";
import { withTenant } from "../db/tenant";
import { currentPrincipal } from "../security/principal";
import { redriveJob } from "./dead-letters";
import { errors } from "./errors";
import { jobDeadLetterList } from "./store/dead-letter";
import "./start";

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
  reason: string;
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
    const limit = req.limit ?? 50;
    const rows = await withTenant(principal, (tx) =>
      jobDeadLetterList(tx, principal.tenantId, limit, parseCursor(req.after)),
    );
    const deadLetters = rows.map(({ id, queue, jobId, reason, error, traceId, attempts, deadAt }) => ({
      id,
      job: queue,
      jobId,
      reason,
      error,
      traceId,
      attempts,
      deadAt: deadAt.toISOString(),
    }));
    const last = deadLetters.at(-1);
    return last && rows.length === limit ? { deadLetters, next: `${last.deadAt}_${last.id}` } : { deadLetters };
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

/** A cursor that is none starts from the beginning. */
function parseCursor(text: string | undefined): { deadAt: Date; id: string } | null {
  const [time, id] = text?.split("_") ?? [];
  const deadAt = new Date(time ?? "");
  return id !== undefined && isUuid(id) && !Number.isNaN(deadAt.getTime()) ? { deadAt, id } : null;
}
