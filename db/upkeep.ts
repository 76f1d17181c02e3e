// Removing what is past its time: in batches, each a short transaction of its own, so that nobody waits for upkeep and
// what is done stays done. A batch that takes too long is tried again at half its size; what is left when the time is
// used up is left to the next run.
import type { SystemReason } from "../security/system-reasons";
import { errorText } from "../telemetry/error-text";
import { DbError } from "./errors";
import { withSystem, type Tx } from "./tenant";

export interface UpkeepBudget {
  /** For each statement: longer than a request's, because nobody waits for it. */
  statementTimeoutMs: number;
  /** For the whole run. */
  totalMs: number;
  batchMax: number;
}

const BATCH_MIN = 10;
const FAILURES_TOLD = 20;

/**
 * Calls `remove` with a number of rows at most until it removes fewer; resolves with how many went. Rows that another
 * run holds are to be skipped by `remove` (SKIP LOCKED), so that two runs share the work.
 * @throws DbError when even a small batch cannot be removed.
 */
export async function removeInBatches(
  reason: SystemReason,
  { statementTimeoutMs, totalMs, batchMax }: UpkeepBudget,
  remove: (tx: Tx, limit: number) => Promise<number>,
): Promise<number> {
  const endsAtMs = performance.now() + totalMs;
  let removed = 0;
  for (let limit = batchMax; ;) {
    const batch = await withSystem(reason, (tx) => remove(tx, limit), { statementTimeoutMs }).catch((error: unknown) =>
      tookTooLong(error) && limit > BATCH_MIN ? undefined : Promise.reject(error as Error),
    );
    removed += batch ?? 0;
    if (batch !== undefined && batch < limit) return removed;
    if (batch === undefined) limit = Math.max(BATCH_MIN, Math.floor(limit / 2));
    if (performance.now() > endsAtMs) return removed;
  }
}

/**
 * Several steps that don't depend on each other, one after the other: one that fails, time and again perhaps, keeps none of
 * those behind it from their turn.
 * @throws what failed, once all had their turn; an AggregateError of the first ones when several did
 */
export async function doEach(
  steps: Iterable<() => Promise<unknown>> | AsyncIterable<() => Promise<unknown>>,
): Promise<void> {
  const failures: unknown[] = [];
  let failed = 0;
  for await (const step of steps) {
    try {
      await step();
    } catch (error) {
      failed++;
      if (failures.length < FAILURES_TOLD) failures.push(error);
    }
  }
  if (failed > 1) throw new AggregateError(failures, `${failed} steps failed: ${failures.map(errorText).join("; ")}`);
  if (failed === 1) throw failures[0];
}

/** Removals as the steps of doEach; resolves with how many rows each removed. */
export async function removeEach<Name extends string>(
  removals: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number>> {
  const removed = {} as Record<Name, number>;
  await doEach((Object.keys(removals) as Name[]).map((name) => async () => (removed[name] = await removals[name]())));
  return removed;
}

/**
 * As removeInBatches for several, one after the other, of which the first must be empty before the next; resolves with whether
 * nothing is left. False when the time was used up: the next run goes on where this one ended.
 */
export async function removeInTurn(
  reason: SystemReason,
  budget: UpkeepBudget,
  removes: readonly ((tx: Tx, limit: number) => Promise<number>)[],
): Promise<boolean> {
  const endsAtMs = performance.now() + budget.totalMs;
  for (const remove of removes) {
    const totalMs = Math.max(0, endsAtMs - performance.now());
    await removeInBatches(reason, { ...budget, totalMs }, remove);
    if (performance.now() > endsAtMs) return false;
  }
  return true;
}

/** Before the ids of all rows. */
export const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";

/**
 * Goes through rows in the order of their ids, in transactions of their own: `step` handles some of those after an id and
 * resolves with the last of them, or undefined when there are no more. A transaction may run again (withSystem).
 */
export async function goThrough(
  reason: SystemReason,
  statementTimeoutMs: number,
  step: (tx: Tx, after: string) => Promise<string | undefined>,
): Promise<void> {
  for (let after: string | undefined = BEFORE_ALL; after !== undefined;) {
    const from: string = after;
    after = await withSystem(reason, (tx) => step(tx, from), { statementTimeoutMs });
  }
}

const tookTooLong = (error: unknown): boolean => error instanceof DbError && error.kind === "statement_timeout";
