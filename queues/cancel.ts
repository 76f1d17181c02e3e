// Calling a task off. One that waits in its queue is marked there, in one step with which no worker can interfere: whoever takes it
// afterwards finds the mark in what it has taken and tells the job's owner instead of running it, so no run has to ask
// before it begins. One that is still in the outbox is marked when it is handed over. One that runs, or is
// just being taken, hears of it by its process's look at its tasks, and its state is `canceled` when it has.
import { withTenant, type TenantScope } from "../db/tenant";
import { handOverNow } from "../events/outbox";
import { logger } from "../telemetry/logger";
import { announceWork } from "./bull";
import { queueNameOf } from "./conventions";
import { JOB_DESTINATION } from "./enqueue";
import { CANCELED_HEADER } from "./envelope";
import { makeQueue } from "./factory";
import { callOffFlow } from "./flow";
import { taskCallOff, taskCancel, type TaskRow } from "./store/task";

const WAITING = new Set(["waiting", "prioritized", "delayed"]);

/** The task as it is then; undefined when it has ended, or is none. */
export async function cancelTask(scope: TenantScope, id: string): Promise<TaskRow | undefined> {
  const row = await withTenant(scope, async (tx) => {
    const task = await taskCancel(tx, scope.tenantId, id);
    // Its owner need not wait for the time it was meant for.
    if (task?.state === "waiting") {
      await handOverNow(tx, { id, destination: JOB_DESTINATION });
      await callOffFlow(tx, scope.tenantId, id);
    }
    return task;
  });
  if (row?.state !== "waiting" || !(await keepFromRunning(row.job, id))) return row;
  return (await withTenant(scope, (tx) => taskCallOff(tx, scope.tenantId, id))) ?? row;
}

/** Marks it in its queue; true when it has not begun and never will. */
export async function keepFromRunning(jobName: string, id: string): Promise<boolean> {
  try {
    const job = await (await makeQueue(jobName)).getJob(id);
    if (job === undefined) return false;
    await job.updateData({ ...job.data, headers: { ...job.data.headers, [CANCELED_HEADER]: "1" } });
    const state = await job.getState();
    if (!WAITING.has(state)) return false;
    if (state === "delayed") await job.promote().catch(() => undefined); // it has just come due by itself
    announceWork(queueNameOf(jobName));
    return true;
  } catch (error) {
    logger("queues").warn({ err: error, job: jobName, jobId: id }, "a canceled job could not be marked in its queue");
    return false;
  }
}
