// What is known of each run of a job, and how it is called off:
//   waiting → running → completed | failed | canceled; and back to waiting when a failed attempt will be tried again.
// Whoever enqueues writes the row; the process that runs the job writes the rest, many at once. The registry tells of the
// jobs and does not hold them up: when it cannot be written, they run all the same (a task that then never ends is `lost`
// after an hour). Canceling reaches the process by its own look, twice a second, at the tasks it runs, whichever it is.
import { AsyncLocalStorage } from "node:async_hooks";
import { idFromParts, isUuid } from "../db/ids";
import { systemQuery, withSystem } from "../db/tenant";
import { removeInBatches } from "../db/upkeep";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { Batch } from "./batch";
import * as store from "./store/task";

const WATCH_MS = 500;
const REPORT_MS = 100;
const RESULT_MAX_BYTES = 16 << 10;
/** Of one attempt. */
const LINES_MAX = 200;
const LINE_MAX_CHARS = 1_000;
const KEEP_DAYS = 7;
/** Of those that never ended: a job may wait for long. */
const KEEP_OPEN_DAYS = 400;

export class TaskCanceledError extends Error {
  override readonly name = "TaskCanceledError";
}

export interface TaskFacts {
  id: string;
  tenantId: TenantId | null;
  job: string;
  /** From 1. */
  attempt: number;
  /** On whose behalf: "user:ID". */
  actor: string;
}

export type TaskEnd =
  { state: "completed"; result: unknown } | { state: "waiting" | "failed" | "canceled"; reason: string };

/** A job's id is its task's; schedules name their runs otherwise. */
export const taskIdOf = (job: string, jobId: string): string =>
  isUuid(jobId) ? jobId : idFromParts("task", job, jobId);

const begins = new Batch<TaskFacts, boolean>(async (tasks) => {
  // The last of a task's runs in one batch: a row cannot be written twice by one statement.
  const last = [...new Map(tasks.map((task) => [task.id, task])).values()];
  const rows = await systemQuery<{ id: string; isCanceled: boolean }>("task-notes", store.TASKS_BEGIN, [
    last.map(({ id }) => id),
    last.map(({ tenantId }) => tenantId),
    last.map(({ job }) => job),
    last.map(({ attempt }) => attempt),
    last.map(({ actor }) => actor),
  ]);
  const canceled = new Set(rows.filter(({ isCanceled }) => isCanceled).map(({ id }) => id));
  return tasks.map(({ id }) => !canceled.has(id));
});

/** JSON; null for what has none or is too large. */
function resultText(result: unknown): string | null {
  if (result === undefined) return null;
  try {
    const text = JSON.stringify(result).replaceAll("\\u0000", "");
    return Buffer.byteLength(text) <= RESULT_MAX_BYTES ? text : null;
  } catch {
    return null;
  }
}

/** One run: what its handler tells, and the signal of its end. */
export class RunningTask {
  readonly run = new AbortController();
  private lines = 0;
  private pending: { seq: number; text: string }[] = [];
  private progress: number | undefined;

  constructor(readonly facts: TaskFacts) {
    running.set(facts.id, this);
    watch();
  }

  /** From 0 to 1; anything else says nothing. */
  setProgress(fraction: number): void {
    if (!(fraction >= 0 && fraction <= 1)) return;
    this.progress = fraction;
    reportSoon(this);
  }

  /** Cut to a thousand characters; no more than two hundred lines of an attempt. */
  addLine(text: string): void {
    if (this.lines >= LINES_MAX) return;
    this.lines++;
    const line = this.lines === LINES_MAX ? "further lines are not kept" : text;
    this.pending.push({
      seq: this.facts.attempt * 1_000 + this.lines,
      text: line.replaceAll("\0", "").slice(0, LINE_MAX_CHARS),
    });
    reportSoon(this);
  }

  takePending(): { lines: { seq: number; text: string }[]; progress: number | undefined } {
    const taken = { lines: this.pending, progress: this.progress };
    this.pending = [];
    this.progress = undefined;
    return taken;
  }

  /** Nothing of it is watched any more. */
  leave(): void {
    if (running.get(this.facts.id) === this) running.delete(this.facts.id);
  }
}

/** A line may be told inside of a transaction, and is written outside of it. */
const outside = AsyncLocalStorage.snapshot();

const running = new Map<string, RunningTask>();
const reporting = new Set<RunningTask>();
const finished = new Map<string, { attempt: number; end: TaskEnd }>();
let watchTimer: NodeJS.Timeout | undefined;
let flushTimer: NodeJS.Timeout | undefined;

/** Undefined when it was canceled before. */
export async function beginTask(facts: TaskFacts): Promise<RunningTask | undefined> {
  const may = await begins.submit(facts).catch((error: unknown) => {
    logger("queues").warn({ err: error, job: facts.job }, "a task's beginning could not be noted");
    return true;
  });
  return may ? new RunningTask(facts) : undefined;
}

/** Written with others, a moment later; a newer attempt that has begun meanwhile is not touched. */
export function endTask(id: string, attempt: number, end: TaskEnd): void {
  running.get(id)?.leave();
  finished.set(id, { attempt, end });
  flushSoon();
}

function watch(): void {
  if (watchTimer !== undefined) return;
  watchTimer = outside(() => setTimeout(() => void look(), WATCH_MS).unref());
}

async function look(): Promise<void> {
  try {
    if (running.size > 0)
      for (const { id } of await systemQuery<{ id: string }>("task-notes", store.TASKS_WATCH, [[...running.keys()]]))
        running.get(id)?.run.abort(new TaskCanceledError("the task was canceled"));
  } catch (error) {
    logger("queues").warn({ err: error }, "whether tasks were canceled could not be asked");
  }
  watchTimer = undefined;
  if (running.size > 0) watch();
}

function reportSoon(task: RunningTask): void {
  reporting.add(task);
  flushSoon();
}

/** One at a time: while the table is held by somebody, what is told meanwhile gathers instead of taking connections. */
function flushSoon(): void {
  flushTimer ??= outside(() => setTimeout(() => void flushAndGoOn(), REPORT_MS).unref());
}

async function flushAndGoOn(): Promise<void> {
  await flushTasks();
  flushTimer = undefined;
  if (reporting.size > 0 || finished.size > 0) flushSoon();
}

/** Writes what was told so far: first what tasks tell, then what they have come to. Never rejects. */
export async function flushTasks(): Promise<void> {
  const told = [...reporting];
  const ended = [...finished];
  reporting.clear();
  finished.clear();
  try {
    if (told.length > 0) await report(told);
    if (ended.length > 0) await writeEnds(ended);
  } catch (error) {
    logger("queues").warn(
      { err: error, tasks: ended.length },
      "what became of tasks could not be written: they will be lost",
    );
  }
}

async function writeEnds(ended: readonly [string, { attempt: number; end: TaskEnd }][]): Promise<void> {
  await systemQuery("task-notes", store.TASKS_END, [
    ended.map(([id]) => id),
    ended.map(([, { attempt }]) => attempt),
    ended.map(([, { end }]) => end.state),
    ended.map(([, { end }]) => (end.state === "completed" ? null : end.reason)),
    ended.map(([, { end }]) => (end.state === "completed" ? resultText(end.result) : null)),
  ]);
}

async function report(tasks: readonly RunningTask[]): Promise<void> {
  const told = tasks.map((task) => ({ id: task.facts.id, ...task.takePending() }));
  const lines = told.flatMap(({ id, lines }) => lines.map((line) => ({ id, ...line })));
  const moved = told.filter(({ progress }) => progress !== undefined);
  await withSystem("task-notes", async (tx) => {
    if (lines.length > 0)
      await tx.execute(store.TASKS_LOG, [
        lines.map(({ id }) => id),
        lines.map(({ seq }) => seq),
        lines.map(({ text }) => text),
      ]);
    if (moved.length > 0)
      await tx.execute(store.TASKS_PROGRESS, [moved.map(({ id }) => id), moved.map(({ progress }) => progress)]);
  });
}

const UPKEEP = { statementTimeoutMs: 60_000, totalMs: 5 * 60_000, batchMax: 5_000 };

/** Resolves with how many tasks that ended are no longer kept. */
export async function purgeTasks(): Promise<number> {
  await removeInBatches("task-purge", UPKEEP, store.taskEndLost);
  await removeInBatches("task-purge", UPKEEP, (tx, limit) => store.taskPurgeOpen(tx, KEEP_OPEN_DAYS, limit));
  return removeInBatches("task-purge", UPKEEP, (tx, limit) => store.taskPurge(tx, KEEP_DAYS, limit));
}
