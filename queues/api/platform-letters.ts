// Dead letters of the platform's own jobs, for its staff. Those of an organisation are its own (../api.ts).
import { api, type Header, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { operatorReasonFrom } from "../../audit/operator";
import { parseCursor } from "../../db/cursor";
import { publicTextOf } from "../../events/dead-letters";
import { errors } from "../errors";
import { platformJobs } from "../platform-letters";

interface PlatformJobLettersRequest {
  /** Only jobs of this name. */
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

interface PlatformJobLetter {
  id: string;
  /** Job name, "domain:action". */
  job: string;
  jobId: string;
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

interface PlatformJobLettersResponse {
  deadLetters: PlatformJobLetter[];
  /** Absent on the last page. */
  next?: string;
}

/** The open dead letters that match of jobs without an organisation, newest first. */
export const operatorListDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/queues/dead-letters",
    tags: ["can:operator.dead_letter.read"],
  },
  async ({ job, limit, cursor, ...rest }: PlatformJobLettersRequest): Promise<PlatformJobLettersResponse> => {
    const { rows, next } = await platformJobs.list(
      { ...rest, source: job },
      Math.floor(limit ?? 50),
      parseCursor(cursor),
    );
    const deadLetters = rows.map((row) => {
      const { id, reason, internalError = "", traceId, attempts } = row;
      const why = { reason, error: publicTextOf(reason), internalError };
      const deadAt = row.deadAt.toISOString();
      return { id, job: row.source, jobId: row.messageId, ...why, traceId, attempts, deadAt };
    });
    return { deadLetters, ...(next === undefined ? {} : { next }) };
  },
);

/** All that it names must be true of a dead letter; it must name something. */
interface PlatformJobLetterFilter {
  ids?: string[] & MaxLen<500>;
  job?: string & MaxLen<200>;
  reason?: string & MaxLen<100>;
  /** Given up at this moment or later, ISO 8601. */
  from?: string;
  /** Given up before this moment, ISO 8601. */
  until?: string;
}

interface ChangePlatformJobLettersRequest {
  filter: PlatformJobLetterFilter;
  /** What for: it stands in the installation's log. */
  purpose?: Header<"X-Operator-Reason">;
}

interface RedrivenPlatformJobLettersResponse {
  /** How many were sent again, 500 at most. */
  redriven: number;
  /** True: ask again for the rest. */
  more: boolean;
}

interface DiscardedPlatformJobLettersResponse {
  /** How many were discarded, 500 at most. */
  discarded: number;
  /** True: ask again for the rest. */
  more: boolean;
}

/** Runs the jobs of open ones once more, with all their attempts, the oldest first. */
export const operatorRedriveDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/queues/dead-letters/redrive",
    tags: ["can:operator.dead_letter.manage"],
  },
  async (req: ChangePlatformJobLettersRequest): Promise<RedrivenPlatformJobLettersResponse> => {
    const { count, isMore } = await change(req, platformJobs.redrive);
    return { redriven: count, more: isMore };
  },
);

/** Closes open ones for good: their jobs do not run again. */
export const operatorDiscardDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/queues/dead-letters/discard",
    tags: ["can:operator.dead_letter.manage"],
  },
  async (req: ChangePlatformJobLettersRequest): Promise<DiscardedPlatformJobLettersResponse> => {
    const { count, isMore } = await change(req, platformJobs.discard);
    return { discarded: count, more: isMore };
  },
);

async function change({ filter, purpose }: ChangePlatformJobLettersRequest, act: typeof platformJobs.redrive) {
  const { job: source, ...rest } = filter;
  const handled = await act({ ...rest, source }, operatorReasonFrom(purpose));
  if (handled.count === 0 && filter.ids !== undefined) throw errors.dead_letter_not_found();
  return handled;
}
