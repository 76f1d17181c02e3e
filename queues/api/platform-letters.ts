// Dead letters of the platform's own jobs, for its staff. Those of an organisation are its own (../api.ts).
import { api, type Header } from "encore.dev/api";
import { operatorReasonFrom } from "../../audit/operator";
import { parseCursor } from "../../db/cursor";
import type {
  DiscardedJobDeadLettersResponse,
  JobDeadLetter,
  JobDeadLettersRequest,
  ListJobDeadLettersRequest,
  RedrivenJobDeadLettersResponse,
} from "../api";
import { shownJob } from "../dead-letters";
import { errors } from "../errors";
import { platformJobs } from "../platform-letters";

interface PlatformJobLetter extends JobDeadLetter {
  /** What exactly went wrong. */
  internalError: string;
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
  async ({ job, limit, cursor, ...rest }: ListJobDeadLettersRequest): Promise<PlatformJobLettersResponse> => {
    const { rows, next } = await platformJobs.list(
      { ...rest, source: job },
      Math.floor(limit ?? 50),
      parseCursor(cursor),
    );
    const deadLetters = rows.map((row) => ({ ...shownJob(row), internalError: row.internalError ?? "" }));
    return { deadLetters, ...(next === undefined ? {} : { next }) };
  },
);

interface ChangePlatformJobLettersRequest extends JobDeadLettersRequest {
  /** What for: it stands in the installation's log. */
  purpose?: Header<"X-Operator-Reason">;
}

/** Runs the jobs of open ones once more, with all their attempts, the oldest first. */
export const operatorRedriveDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/queues/dead-letters/redrive",
    tags: ["can:operator.dead_letter.manage", "fresh"],
  },
  async (req: ChangePlatformJobLettersRequest): Promise<RedrivenJobDeadLettersResponse> => {
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
    tags: ["can:operator.dead_letter.manage", "fresh"],
  },
  async (req: ChangePlatformJobLettersRequest): Promise<DiscardedJobDeadLettersResponse> => {
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
