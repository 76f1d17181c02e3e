// Removing things of which any may be too large, or broken, to go: it holds up none of the others. Whoever removes rows alone
// has upkeep.ts.
import type { SystemReason } from "../security/system-reasons";
import { withSystem, type Tx } from "./tenant";
import { BEFORE_ALL, Failures, tookTooLong, type UpkeepBudget } from "./upkeep";

/** Behind a thing, in the order of a time and then of ids. `at` as Postgres writes it: to the microsecond. */
export interface Position {
  at: string;
  id: string;
}

export const BEFORE_EVERYTHING: Position = { at: "-infinity", id: BEFORE_ALL };

export interface Things<Thing> {
  /**
   * Locks at most `limit` of those behind `after` that are to go, in their order, but for those that somebody else has locked.
   * `last` is how far it looked, whatever was to go of that; undefined when there is nothing behind.
   */
  list: (tx: Tx, after: Position, limit: number) => Promise<{ things: readonly Thing[]; last: Position | undefined }>;
  /**
   * Resolves with whether they are gone. False when they hold more than a transaction is to remove: a part went, and is committed,
   * and they are listed again.
   */
  remove: (tx: Tx, things: readonly Thing[]) => Promise<boolean>;
}

/** What `list` answers for one statement of at most `limit` rows. */
export const listed = <Thing extends Position>(
  things: readonly Thing[],
  limit: number,
): { things: readonly Thing[]; last: Position | undefined } => ({
  things,
  last: things.length < limit ? undefined : things.at(-1),
});

/**
 * How far runs got among things that mostly stay: the next one goes on there, or what stands far behind would never have its turn. Kept in
 * memory: who starts anew, or is another replica, begins at the first.
 */
export interface Progress {
  after: Position;
}

export const createProgress = (): Progress => ({ after: BEFORE_EVERYTHING });

/** No thing is given less than that, whatever those before it took. */
const TIMEOUT_MIN_MS = 1_000;

/**
 * Removes them, in transactions of at most `batchMax`, until none is left or the time is used up; resolves with how many went. A
 * batch that fails is tried at half its size, down to one. What fails alone is passed over in this run, and the batches grow again. Each
 * thing that took too long alone halves what the next is given, so that many of them do not use up the run; who goes gives it back.
 * A run begins at the first, or with `progress` where the one before ended, and then behind the last at the first again.
 * @throws what the things that were passed over failed with, once all others had their turn; and what listing them failed with.
 */
export const removePassingOver = <Thing>(
  reason: SystemReason,
  budget: UpkeepBudget,
  things: Things<Thing>,
  progress: Progress = createProgress(),
): Promise<number> => new Walk(reason, budget, things, progress).run();

class Walk<Thing> {
  private removed = 0;
  private after: Position | undefined;
  private limit: number;
  private timeoutMs: number;
  private readonly failures = new Failures();

  constructor(
    private readonly reason: SystemReason,
    private readonly budget: UpkeepBudget,
    private readonly things: Things<Thing>,
    private readonly progress: Progress,
  ) {
    this.after = progress.after;
    this.limit = budget.batchMax;
    this.timeoutMs = budget.statementTimeoutMs;
  }

  async run(): Promise<number> {
    const endsAtMs = performance.now() + this.budget.totalMs;
    do await this.batch(this.after ?? BEFORE_EVERYTHING);
    while (this.after !== undefined && performance.now() <= endsAtMs);
    this.progress.after = this.after ?? BEFORE_EVERYTHING;
    this.failures.throwIfAny();
    return this.removed;
  }

  private async batch(after: Position): Promise<void> {
    let looked: { last: Position | undefined } | undefined;
    let many = 0;
    let areGone = true;
    try {
      await withSystem(
        this.reason,
        async (tx) => {
          looked = undefined;
          const { things, last } = await this.things.list(tx, after, this.limit);
          [looked, many] = [{ last }, things.length];
          areGone = many === 0 || (await this.things.remove(tx, things));
        },
        { statementTimeoutMs: this.timeoutMs },
      );
    } catch (error) {
      this.shrink(error, looked);
      return;
    }
    if (!areGone) return;
    this.removed += many;
    this.after = looked?.last;
    this.limit = Math.min(this.budget.batchMax, 2 * this.limit);
    this.timeoutMs = Math.min(this.budget.statementTimeoutMs, 2 * this.timeoutMs);
  }

  /** What fails before anything was listed is no thing's fault, and ends the run: `looked` is undefined then. */
  private shrink(error: unknown, looked: { last: Position | undefined } | undefined): void {
    if (this.limit > 1 && (looked !== undefined || tookTooLong(error))) {
      this.limit = Math.floor(this.limit / 2);
      return;
    }
    this.failures.add(error);
    this.after = looked?.last;
    if (tookTooLong(error)) this.timeoutMs = Math.max(TIMEOUT_MIN_MS, this.timeoutMs / 2);
  }
}
