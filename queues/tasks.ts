// What is known of each run of a job, and how it is called off:
//   waiting → running → completed | failed | canceled; and back to waiting when a failed attempt will be tried again.
// The row comes with the job's own in the outbox; the process that runs the job writes the rest, ten times a second, all that it
// has to tell in few statements, beside the runs and never before them. A run that is over by then is written once. What has ended
// stays ended, and of two attempts the later one counts, whoever comes late. The registry tells of the jobs and does not hold
// them up: what cannot be written is tried again, and what a process takes with it when it dies is asked of BullMQ
// later (task-upkeep.ts). Canceling reaches a run by its process's own look, twice a second, at the tasks that it runs.
// River completes jobs in batches as well (its batch completer, riverqueue/river #338), and looks at running jobs for
// cancellations by itself, since a notification may be lost (#1564). graphile-worker's batches gave up after one failure (#636).
import { AsyncLocalStorage } from "node:async_hooks";
import { DbError, type DbErrorKind } from "../db/errors";
import { idFromParts, isUuid } from "../db/ids";
import { systemQuery, withSystem } from "../db/tenant";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import * as store from "./store/task";
import { lineText, resultText } from "./task-text";

const WATCH_MS = 500;
const REPORT_MS = 100;
/** Of one attempt. */
const LINES_MAX = 200;
/** Of all runs, that wait for a database that is away. */
const LINES_HELD_MAX = 10_000;
/** Until the database is back. */
const REPORT_AGAIN_MS = 1_000;
/** Ends that wait for a database that is away; more than that are left to the upkeep. */
const ENDS_MAX = 20_000;
const BATCH_MAX = 500;

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

interface Told {
  lines: { seq: number; text: string }[];
  progress: number | undefined;
}

/** One run: what its handler tells, and the signal of its end. */
export class RunningTask {
  readonly run = new AbortController();
  readonly beganAtMs = performance.now();
  private lines = 0;
  private pending: { seq: number; text: string }[] = [];
  private progress: number | undefined;

  constructor(readonly facts: TaskFacts) {
    running.set(facts.id, this);
    beginning.add(this);
    flushSoon();
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
    this.pending.push({ seq: this.facts.attempt * 1_000 + this.lines, text: lineText(line) });
    reportSoon(this);
  }

  cancel(): void {
    this.run.abort(new TaskCanceledError("the task was canceled"));
  }

  takePending(): Told {
    const taken = { lines: this.pending, progress: this.progress };
    this.pending = [];
    this.progress = undefined;
    return taken;
  }

  get linesHeld(): number {
    return this.pending.length;
  }

  /** Of its lines those that wait are not kept. */
  dropLines(): void {
    this.pending = [];
  }

  /** What was taken could not be written. */
  putBack({ lines, progress }: Told): void {
    this.pending = [...lines, ...this.pending];
    this.progress ??= progress;
  }

  /** Nothing of it is watched any more. */
  leave(): void {
    if (running.get(this.facts.id) === this) running.delete(this.facts.id);
  }
}

/** A line may be told inside of a transaction, and is written outside of it. */
const outside = AsyncLocalStorage.snapshot();

/** Of a run that is over its facts alone: thousands may wait for a slow database. */
interface Ended {
  facts: TaskFacts;
  state: TaskEnd["state"];
  reason: string | null;
  /** JSON. */
  result: string | null;
  ranMs: number;
}

const running = new Map<string, RunningTask>();
/** Those that nothing was written of yet. */
const beginning = new Set<RunningTask>();
const reporting = new Set<RunningTask>();
const finished = new Map<string, Ended>();
let watchTimer: NodeJS.Timeout | undefined;
let flushTimer: NodeJS.Timeout | undefined;
let flushing: Promise<boolean> = Promise.resolve(true);

/** Written with others, a moment later. */
export function endTask(task: RunningTask, end: TaskEnd): void {
  task.leave();
  if (!reporting.has(task)) beginning.delete(task);
  const known = finished.get(task.facts.id);
  if (known !== undefined && known.facts.attempt > task.facts.attempt) return;
  if (known === undefined && finished.size >= ENDS_MAX) return;
  const [reason, result] = end.state === "completed" ? [null, resultText(end.result)] : [end.reason, null];
  const ranMs = performance.now() - task.beganAtMs;
  finished.set(task.facts.id, { facts: task.facts, state: end.state, reason, result, ranMs });
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
        running.get(id)?.cancel();
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
function flushSoon(afterMs = REPORT_MS): void {
  flushTimer ??= outside(() => setTimeout(() => void flushAndGoOn(), afterMs).unref());
}

async function flushAndGoOn(): Promise<void> {
  const isWritten = await flushTasks();
  flushTimer = undefined;
  if (beginning.size + reporting.size + finished.size > 0) flushSoon(isWritten ? REPORT_MS : REPORT_AGAIN_MS);
}

/** Writes what was told so far, after what is being written. False when it could not be; never rejects. */
export function flushTasks(): Promise<boolean> {
  return (flushing = flushing.then(() => outside(flush)));
}

async function flush(): Promise<boolean> {
  const told = [...reporting];
  const ended = [...finished.values()];
  // What a run tells needs its row; one that is over and has told nothing is written once, by its end.
  const begun = [...beginning].filter((task) => running.get(task.facts.id) === task || reporting.has(task));
  beginning.clear();
  reporting.clear();
  finished.clear();
  try {
    await writeParts(latestOf(begun), writeBeginnings);
    begun.length = 0;
    await report(told);
    told.length = 0;
    await writeParts(ended, writeEnds, (one) => ({ ...one, result: null }));
    return true;
  } catch (error) {
    logger("queues").warn({ err: error, tasks: ended.length }, "what became of tasks could not be written yet");
    for (const task of begun) beginning.add(task);
    for (const task of told) reporting.add(task);
    for (const one of ended)
      if (!finished.has(one.facts.id) && finished.size < ENDS_MAX) finished.set(one.facts.id, one);
    holdLess();
    return false;
  }
}

/** While nothing can be written: of all runs so many lines, and of one that is over and has none left its end alone. */
function holdLess(): void {
  let held = 0;
  for (const task of reporting) {
    held += task.linesHeld;
    if (held > LINES_HELD_MAX) task.dropLines();
    if (task.linesHeld > 0 || running.get(task.facts.id) === task) continue;
    reporting.delete(task);
    beginning.delete(task);
  }
}

/** That will pass, for all alike. Any other answer of the database is about what it was given. */
const PASSING: ReadonlySet<DbErrorKind> = new Set<DbErrorKind>([
  "unavailable",
  "pool_exhausted",
  "lock_timeout",
  "statement_timeout",
  "deadlock",
  "serialization_failure",
  "transaction_aborted",
  "insufficient_privilege",
  "misuse",
]);
const isRefusal = (error: unknown): boolean => error instanceof DbError && !PASSING.has(error.kind);

/** Takes from `items` what is written, in batches. What the database refuses is written as `lessOf` has it, or given up: it holds up no others. */
async function writeParts<T extends { facts: TaskFacts }>(
  items: T[],
  write: (part: readonly T[]) => Promise<void>,
  lessOf?: (item: T) => T,
): Promise<void> {
  for (; items.length > 0; items.splice(0, BATCH_MAX)) {
    const part = items.slice(0, BATCH_MAX);
    if (await isTaken(write(part))) continue;
    for (const item of part) {
      if (await isTaken(write([item]))) continue;
      const isTakenLess = lessOf !== undefined && (await isTaken(write([lessOf(item)])));
      const { id, job } = item.facts;
      logger("queues").error({ task: id, job, isTakenLess }, "the database refused what became of a task");
    }
  }
}

/** False when the database refuses it; rejects when it cannot be asked. */
async function isTaken(writing: Promise<void>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    logger("queues").warn({ err: error }, "the database refused what was told of tasks");
    return false;
  }
}

/** Of each task the last: a row cannot be written twice by one statement. */
const latestOf = (tasks: readonly RunningTask[]): RunningTask[] => [
  ...new Map(tasks.map((task) => [task.facts.id, task])).values(),
];

const factsOf = (runs: readonly { facts: TaskFacts; ranMs: number }[]): unknown[] => [
  runs.map(({ facts }) => facts.id),
  runs.map(({ facts }) => facts.tenantId),
  runs.map(({ facts }) => facts.job),
  runs.map(({ facts }) => facts.actor),
  runs.map(({ facts }) => facts.attempt),
  runs.map(({ ranMs }) => Math.round(ranMs)),
];

async function writeBeginnings(tasks: readonly RunningTask[]): Promise<void> {
  const runs = tasks.map(({ facts, beganAtMs }) => ({ facts, ranMs: performance.now() - beganAtMs }));
  const rows = await systemQuery<{ id: string; isCanceled: boolean }>("task-notes", store.TASKS_BEGIN, factsOf(runs));
  for (const { id, isCanceled } of rows) if (isCanceled) running.get(id)?.cancel();
}

async function writeEnds(ended: readonly Ended[]): Promise<void> {
  await systemQuery("task-notes", store.TASKS_END, [
    ...factsOf(ended),
    ended.map(({ state }) => state),
    ended.map(({ reason }) => reason),
    ended.map(({ result }) => result),
  ]);
}

async function report(tasks: readonly RunningTask[]): Promise<void> {
  if (tasks.length === 0) return;
  const told = tasks.map((task) => ({ task, ...task.takePending() }));
  try {
    await isTaken(writeTold(told));
  } catch (error) {
    for (const { task, lines, progress } of told) task.putBack({ lines, progress });
    throw error;
  }
}

async function writeTold(told: readonly ({ task: RunningTask } & Told)[]): Promise<void> {
  const lines = told.flatMap(({ task, lines }) => lines.map((line) => ({ id: task.facts.id, ...line })));
  const moved = told.filter(({ progress }) => progress !== undefined);
  await withSystem("task-notes", async (tx) => {
    if (lines.length > 0)
      await tx.execute(store.TASKS_LOG, [
        lines.map(({ id }) => id),
        lines.map(({ seq }) => seq),
        lines.map(({ text }) => text),
      ]);
    if (moved.length > 0)
      await tx.execute(store.TASKS_PROGRESS, [
        moved.map(({ task }) => task.facts.id),
        moved.map(({ progress }) => progress),
      ]);
  });
}
