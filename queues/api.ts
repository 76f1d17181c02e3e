// Dead letters of jobs, for the people of the tenant they belong to.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { parseCursor } from "../db/cursor";
import { withTenant } from "../db/tenant";
import { doEach } from "../db/upkeep";
import { currentPrincipal } from "../security/principal";
import { parseChangingFilter, parseLetterFilter, type HandledLetters } from "../events/dead-letter-desk";
import { discardJobs, purgeDeadJobs, redriveJobs, shownJob } from "./dead-letters";
import { errors } from "./errors";
import { purgeFlows } from "./flow";
import { jobDeadLetters } from "./store/dead-letter";
import { purgeGates } from "./tenant-gate";

export interface ListJobDeadLettersRequest {
  /** Only those of this job, "domain:action". */
  job?: Query<string & MaxLen<200>>;
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

export interface JobDeadLetter {
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

/** The tenant's open dead letters that match, newest first. */
export const listDeadLetters = api(
  { expose: true, auth: true, method: "GET", path: "/queues/dead-letters", tags: ["can:job.manage"] },
  async (req: ListJobDeadLettersRequest): Promise<ListJobDeadLettersResponse> => {
    const principal = currentPrincipal();
    const cursor = parseCursor(req.cursor);
    const { job: source, reason, from, until } = req;
    const filter = parseLetterFilter({ source, reason, from, until });
    const { rows, next } = await withTenant(principal, (tx) =>
      jobDeadLetters.list(tx, principal.tenantId, filter, Math.floor(req.limit ?? 50), cursor),
    );
    return { deadLetters: rows.map(shownJob), ...(next === undefined ? {} : { next }) };
  },
);

/** All that it names must be true of a dead letter; it must name something. */
interface JobDeadLetterFilter {
  ids?: string[] & MaxLen<500>;
  job?: string & MaxLen<200>;
  reason?: string & MaxLen<100>;
  /** Given up at this moment or later, ISO 8601. */
  from?: string;
  /** Given up before this moment, ISO 8601. */
  until?: string;
}

export interface JobDeadLettersRequest {
  filter: JobDeadLetterFilter;
}

export interface RedrivenJobDeadLettersResponse {
  /** How many were sent again, 500 at most. */
  redriven: number;
  /** True: ask again for the rest. */
  more: boolean;
}

export interface DiscardedJobDeadLettersResponse {
  /** How many were discarded, 500 at most. */
  discarded: number;
  /** True: ask again for the rest. */
  more: boolean;
}

/** Runs the jobs of open dead letters once more, with all their attempts, the oldest first. */
export const redriveDeadLetters = api(
  { expose: true, auth: true, method: "POST", path: "/queues/dead-letters/redrive", tags: ["can:job.redrive"] },
  async (req: JobDeadLettersRequest): Promise<RedrivenJobDeadLettersResponse> => {
    const { count, isMore } = await inOwnTenant(req, redriveJobs);
    return { redriven: count, more: isMore };
  },
);

/** Closes open dead letters for good: their jobs do not run again. */
export const discardDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/queues/dead-letters/discard",
    tags: ["can:job.discard", "fresh"],
  },
  async (req: JobDeadLettersRequest): Promise<DiscardedJobDeadLettersResponse> => {
    const { count, isMore } = await inOwnTenant(req, discardJobs);
    return { discarded: count, more: isMore };
  },
);

async function inOwnTenant({ filter }: JobDeadLettersRequest, act: typeof redriveJobs): Promise<HandledLetters> {
  const principal = currentPrincipal();
  const { job: source, ids, reason, from, until } = filter;
  const wanted = parseChangingFilter({ source, ids, reason, from, until });
  const handled = await withTenant(principal, (tx) => act(tx, { tenantId: principal.tenantId, filter: wanted }));
  if (handled.count === 0 && filter.ids !== undefined) throw errors.dead_letter_not_found();
  return handled;
}

export const purge = api({ expose: false, method: "POST", path: "/queues/purge" }, async (): Promise<void> => {
  await doEach([purgeDeadJobs, purgeGates, purgeFlows]);
});

export const purgeHourly = new CronJob("queues-purge", {
  title: "Delete dead letters of jobs past their retention",
  every: "1h",
  endpoint: purge,
});
