// How the relay hands jobs over: into their queues, under the outbox row's id, so that a row handed over
// twice is one job; with the turn its tenant has.
import type { Destination, OutboxRow } from "../events/destinations";
import { REDRIVE_OF } from "../events/topic";
import { announceWork } from "./bull";
import { queueNameOf } from "./conventions";
import { DELAY_HEADER } from "./enqueue";
import { jobOptions, makeQueue } from "./factory";
import { takeTurns } from "./fairness";

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
  );
  await queue.addBulk(
    rows.map((row, index) => ({
      name: jobName,
      data: { payload: row.payload, tenantId: row.tenantId, headers: row.headers },
      opts: {
        ...jobOptions(),
        // What the relay gave up and was sent again may have been accepted after all.
        jobId: row.headers[REDRIVE_OF] ?? row.id,
        priority: priorities[index] ?? 1,
        delay: Number(row.headers[DELAY_HEADER] ?? 0),
      },
    })),
  );
  announceWork(queueNameOf(jobName));
}
