// How the relay hands jobs over: into their queues, under the outbox row's id, so that a row handed over
// twice is one job; with the turn its tenant has.
import { systemQuery } from "../db/tenant";
import type { Destination, OutboxRow } from "../events/destinations";
import { REDRIVE_OF } from "../events/topic";
import { announceWork } from "./bull";
import { keepFromRunning } from "./cancel";
import { queueNameOf } from "./conventions";
import { DELAY_HEADER, HIGH_HEADER } from "./enqueue";
import { CANCELED_HEADER } from "./envelope";
import { jobOptions, makeQueue } from "./factory";
import { takeTurns } from "./fairness";
import { TASKS_CANCELED } from "./store/task";

export const jobDestination: Destination = { batchSize: 100, publish: publishJobs };

async function publishJobs(rows: readonly OutboxRow[]): Promise<void> {
  const byJob = new Map<string, OutboxRow[]>();
  for (const row of rows) byJob.set(row.type, [...(byJob.get(row.type) ?? []), row]);
  for (const [jobName, jobs] of byJob) await publishToQueue(jobName, jobs);
}

async function publishToQueue(jobName: string, rows: readonly OutboxRow[]): Promise<void> {
  const queue = await makeQueue(jobName);
  const priorities = await takeTurns(
    queue,
    rows.map((row) => row.tenantId),
    { high: new Set(rows.flatMap(({ headers }, index) => (HIGH_HEADER in headers ? [index] : []))) },
  );
  const ids = rows.map(jobIdOf);
  const canceled = await canceledOf(ids);
  await queue.addBulk(
    rows.map((row, index) => {
      const jobId = jobIdOf(row);
      const isCanceled = canceled.has(jobId);
      const headers = isCanceled ? { ...row.headers, [CANCELED_HEADER]: "1" } : row.headers;
      return {
        name: jobName,
        data: { payload: row.payload, tenantId: row.tenantId, headers },
        opts: {
          ...jobOptions(),
          jobId,
          priority: priorities[index] ?? 1,
          delay: isCanceled ? 0 : Number(row.headers[DELAY_HEADER] ?? 0),
        },
      };
    }),
  );
  announceWork(queueNameOf(jobName));
  // Whoever cancels notes it first and looks into the queue then; so that one of the two sees the other, this looks again.
  for (const id of await canceledOf(ids)) if (!canceled.has(id)) await keepFromRunning(jobName, id);
}

/** What the relay gave up and was sent again may have been accepted after all: it keeps its id. */
const jobIdOf = ({ headers, id }: OutboxRow): string => headers[REDRIVE_OF] ?? id;

/** Those that were canceled while they were in the outbox. */
async function canceledOf(ids: readonly string[]): Promise<Set<string>> {
  const rows = await systemQuery<{ id: string }>("task-notes", TASKS_CANCELED, [ids]);
  return new Set(rows.map(({ id }) => id));
}
