// What is left of tasks: those that ended go after a week, and those that nobody tells of any more are looked into. A process
// that dies takes with it what it had not written yet, and its jobs go on elsewhere or are over: BullMQ knows.
//   not handed over yet, waiting, delayed, running   the task stays as it is, and is looked at again later
//   completed, failed                                it ends so; canceled when that was asked for
//   gone from BullMQ                                 failed, `lost`: it is over, and nobody knows how
import { systemQuery, withSystem } from "../db/tenant";
import { removeInBatches } from "../db/upkeep";
import { keptInOutbox } from "../events/outbox";
import { makeQueue } from "./factory";
import { FLOWS_WAITING } from "./store/flow";
import { taskClaimStale, TASKS_HEAL, taskPurge, type StaleTask } from "./store/task";

const KEEP_DAYS = 7;
/** An open task that nobody runs is not older: no job waits for longer. */
const OPEN_DAYS_MAX = 400;
const HEAL_BATCH = 500;
/** By one call; the rest has its turn the next time. */
const HEAL_MAX = 10_000;
const UPKEEP = { statementTimeoutMs: 60_000, totalMs: 5 * 60_000, batchMax: 5_000 };

/** Resolves with how many tasks that ended are no longer kept. */
export function purgeTasks(): Promise<number> {
  return removeInBatches("task-purge", UPKEEP, (tx, limit) => taskPurge(tx, KEEP_DAYS, limit));
}

type Verdict = "completed" | "failed" | "open";

/** Ends the tasks whose jobs are over without anybody having said so; resolves with how many. */
export async function healTasks(): Promise<number> {
  let healed = 0;
  for (let looked = 0; looked < HEAL_MAX;) {
    const stale = await withSystem("task-purge", (tx) => taskClaimStale(tx, OPEN_DAYS_MAX, HEAL_BATCH));
    looked += stale.length;
    healed += await heal(stale);
    if (stale.length < HEAL_BATCH) break;
  }
  return healed;
}

async function heal(tasks: readonly StaleTask[]): Promise<number> {
  // In this order: what is not in the outbox any more has been put into its queue before.
  const ids = tasks.map(({ id }) => id);
  // A flow's parent before that: its children end before it is put into the outbox.
  const waiting = await systemQuery<{ id: string }>("task-purge", FLOWS_WAITING, [ids]);
  const kept = new Set([...waiting.map(({ id }) => id), ...(await keptInOutbox("task-purge", ids))]);
  const over: { task: StaleTask; verdict: Verdict }[] = [];
  for (const task of tasks) {
    const verdict = task.isOld ? "failed" : kept.has(task.id) ? "open" : await verdictOf(task);
    if (verdict !== "open") over.push({ task, verdict });
  }
  if (over.length === 0) return 0;
  await systemQuery("task-purge", TASKS_HEAL, [
    over.map(({ task }) => task.id),
    over.map(({ task }) => task.version),
    over.map(({ verdict }) => verdict),
  ]);
  return over.length;
}

async function verdictOf({ job, id }: StaleTask): Promise<Verdict> {
  const state = await (await makeQueue(job)).getJobState(id);
  if (state === "completed") return "completed";
  return state === "failed" || state === "unknown" ? "failed" : "open";
}
