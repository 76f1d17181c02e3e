// What is left of tasks: those that ended go after a week, and those that nobody tells of any more are looked into. A process
// that dies takes with it what it had not written yet, and its jobs go on elsewhere or are over: BullMQ knows.
//   not handed over yet, waiting, delayed, running   the task stays as it is, and is looked at again later: where it waits in the
//                                                    outbox for its time, when that has come
//   completed, failed                                it ends so; canceled when that was asked for
//   gone from BullMQ                                 failed, `lost`: it is over, and nobody knows how
import { systemQuery, withSystem } from "../db/tenant";
import { removeInBatches } from "../db/upkeep";
import { keptInOutbox } from "../events/outbox";
import { makeQueue } from "./factory";
import { FLOWS_WAITING } from "./store/flow";
import { taskClaimStale, TASKS_DEFER, TASKS_HEAL, taskPurge, type StaleTask } from "./store/task";

const KEEP_DAYS = 7;
/** An open task that nobody runs is not older: no job waits for longer. */
const OPEN_DAYS_MAX = 400;
const HEAL_BATCH = 500;
/** That BullMQ is asked about by one call; the rest has its turn the next time. */
const HEAL_MAX = 10_000;
/** By one call, with those that wait in the outbox: many thousands of reminders hold up no others. */
const LOOK_MAX = 200_000;
const UPKEEP = { statementTimeoutMs: 60_000, totalMs: 5 * 60_000, batchMax: 5_000 };

/** Resolves with how many tasks that ended are no longer kept. */
export function purgeTasks(): Promise<number> {
  return removeInBatches("task-purge", UPKEEP, (tx, limit) => taskPurge(tx, KEEP_DAYS, limit));
}

type Verdict = "completed" | "failed" | "open";

/** Ends the tasks whose jobs are over without anybody having said so; resolves with how many. */
export async function healTasks(): Promise<number> {
  let healed = 0;
  for (let looked = 0, asked = 0; looked < LOOK_MAX && asked < HEAL_MAX;) {
    const stale = await withSystem("task-purge", (tx) => taskClaimStale(tx, OPEN_DAYS_MAX, HEAL_BATCH));
    const batch = await heal(stale);
    looked += stale.length;
    asked += batch.asked;
    healed += batch.healed;
    if (stale.length < HEAL_BATCH) break;
  }
  return healed;
}

async function heal(tasks: readonly StaleTask[]): Promise<{ asked: number; healed: number }> {
  // In this order: what is not in the outbox any more has been put into its queue before.
  const ids = tasks.map(({ id }) => id);
  // A flow's parent before that: its children end before it is put into the outbox.
  const waiting = await systemQuery<{ id: string }>("task-purge", FLOWS_WAITING, [ids]);
  const due = await keptInOutbox("task-purge", ids);
  await defer(tasks, due);
  const kept = new Set([...waiting.map(({ id }) => id), ...due.keys()]);
  const over: { task: StaleTask; verdict: Verdict }[] = [];
  for (const task of tasks) {
    const verdict = task.isOld ? "failed" : kept.has(task.id) ? "open" : await verdictOf(task);
    if (verdict !== "open") over.push({ task, verdict });
  }
  await end(over);
  return { asked: tasks.length - kept.size, healed: over.length };
}

/** Those whose jobs wait in the outbox are looked at when their time has come. */
async function defer(tasks: readonly StaleTask[], due: ReadonlyMap<string, number>): Promise<void> {
  const waiting = tasks.filter(({ id }) => due.has(id));
  if (waiting.length === 0) return;
  await systemQuery("task-purge", TASKS_DEFER, [
    waiting.map(({ id }) => id),
    waiting.map(({ version }) => version),
    waiting.map(({ id }) => due.get(id)),
  ]);
}

async function end(over: readonly { task: StaleTask; verdict: Verdict }[]): Promise<void> {
  if (over.length === 0) return;
  await systemQuery("task-purge", TASKS_HEAL, [
    over.map(({ task }) => task.id),
    over.map(({ task }) => task.version),
    over.map(({ verdict }) => verdict),
  ]);
}

async function verdictOf({ job, id }: StaleTask): Promise<Verdict> {
  const state = await (await makeQueue(job)).getJobState(id);
  if (state === "completed") return "completed";
  return state === "failed" || state === "unknown" ? "failed" : "open";
}
