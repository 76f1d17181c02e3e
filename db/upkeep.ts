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

/**
 * What a removal of at most `limit` rows answers: how many went, or that and whether nothing is left. A number says both: fewer
 * than the limit are the last. Who removes in layers, where some go and uncover others, says it.
 */
export type Removed = number | { rows: number; isOver: boolean };
export type RemoveSome = (tx: Tx, limit: number) => Promise<Removed>;

const FAILURES_TOLD = 20;

/**
 * Calls `remove` until nothing is left; resolves with how many went. Rows that another run holds are to be skipped by `remove`
 * (SKIP LOCKED), so that two runs share the work.
 * @throws DbError when not even one can be removed in the time of a statement.
 */
export const removeInBatches = (reason: SystemReason, budget: UpkeepBudget, remove: RemoveSome): Promise<number> =>
  new Removal(reason, budget, remove).run().then(({ removed }) => removed);

/** A run of batches. One that takes too long is tried at half its size, down to one; the batches stay at the size that went. */
class Removal {
  private removed = 0;
  private limit: number;
  private tooLong: DbError | undefined;

  constructor(
    private readonly reason: SystemReason,
    private readonly budget: UpkeepBudget,
    private readonly remove: RemoveSome,
  ) {
    this.limit = budget.batchMax;
  }

  async run(): Promise<{ removed: number; isOver: boolean }> {
    const endsAtMs = performance.now() + this.budget.totalMs;
    let isOver = false;
    do {
      const batch = await this.batch();
      if (batch instanceof DbError) this.shrink(batch);
      else isOver = this.count(batch);
    } while (!isOver && performance.now() <= endsAtMs);
    if (this.tooLong !== undefined && this.removed === 0) throw this.tooLong;
    return { removed: this.removed, isOver };
  }

  private batch(): Promise<Removed | DbError> {
    const { statementTimeoutMs } = this.budget;
    const work = (tx: Tx): Promise<Removed> => this.remove(tx, this.limit);
    return withSystem<Removed | DbError>(this.reason, work, { statementTimeoutMs }).catch((error: unknown) =>
      tookTooLong(error) ? error : Promise.reject(error as Error),
    );
  }

  private count(batch: Removed): boolean {
    this.removed += typeof batch === "number" ? batch : batch.rows;
    return typeof batch === "number" ? batch < this.limit : batch.isOver;
  }

  private shrink(tooLong: DbError): void {
    if (this.limit === 1) throw tooLong;
    this.tooLong = tooLong;
    this.limit = Math.floor(this.limit / 2);
  }
}

/** What failed of several things, told together in the end: the first ones, and how many. */
export class Failures {
  private readonly first: unknown[] = [];
  private count = 0;

  add(error: unknown): void {
    this.count++;
    if (this.first.length < FAILURES_TOLD) this.first.push(error);
  }

  /** @throws the one that failed; an AggregateError when several did. */
  throwIfAny(): void {
    if (this.count === 1) throw this.first[0];
    if (this.count > 1)
      throw new AggregateError(this.first, `${this.count} steps failed: ${this.first.map(errorText).join("; ")}`);
  }
}

/**
 * Several steps that don't depend on each other, one after the other: one that fails, time and again perhaps, keeps none of
 * those behind it from their turn.
 * @throws what failed, once all had their turn, as Failures
 */
export async function doEach(
  steps: Iterable<() => Promise<unknown>> | AsyncIterable<() => Promise<unknown>>,
): Promise<void> {
  const failures = new Failures();
  for await (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.add(error);
    }
  }
  failures.throwIfAny();
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
  removes: readonly RemoveSome[],
): Promise<boolean> {
  const endsAtMs = performance.now() + budget.totalMs;
  for (const remove of removes) {
    const totalMs = Math.max(0, endsAtMs - performance.now());
    const { isOver } = await new Removal(reason, { ...budget, totalMs }, remove).run();
    if (!isOver || performance.now() > endsAtMs) return false;
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

export const tookTooLong = (error: unknown): error is DbError =>
  error instanceof DbError && error.kind === "statement_timeout";
