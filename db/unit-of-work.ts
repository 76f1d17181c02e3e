// Several transactions of one piece of work, the last of which commits together with the note that the work is done.
//   open    each transaction of the work begins as always; one that is held commits before the next begins.
//   held    the body of the only open transaction is over: its caller goes on as if it had committed, the commit waits
//           for the end of the work, so that whoever keeps the outcome can write it into the same transaction.
//   over    the work has its outcome; what still begins commits as always.
// A hold ends by itself after a moment: what waits for something else that needs the database, on the embedded one with
// its one session, would wait for ever. Every commit but the last is preceded by `mark`, which may refuse it; so what the
// work has done is never unknown, and whoever has lost the right to do it does nothing.
// The idea is Brandur Leach's "atomic phases" (https://brandur.org/idempotency-keys), with the last phase and its answer as one.
import { cfg } from "../config";
import { AsyncVariable } from "../telemetry/async-variable";
import { readyFor } from "./connection";
import type { Statement } from "./pipeline";
import { scopeStatement, type Scope } from "./scope";
import type { Tx } from "./tx";

/** A transaction whose body is over. */
export interface EndingTransaction {
  /** Commits, after `last` under the scope that `setting` applies; rolls back, and rejects, when either fails. */
  commit(setting?: Statement, last?: (tx: Tx) => Promise<void>): Promise<void>;
}

/** Long for what a handler does behind its transaction, short for whoever waits for a lock of it. */
const HOLD_MS = 250;

const current = new AsyncVariable<UnitOfWork>();

/** The work that the calling code belongs to. */
export const currentUnit = (): UnitOfWork | undefined => current.get();

export class UnitOfWork {
  private open = 0;
  private held: EndingTransaction | undefined;
  private holdTimer: NodeJS.Timeout | undefined;
  /** The commit of one that was held. */
  private settling: Promise<void> = Promise.resolve();
  private isOver = false;

  private constructor(
    private readonly setting: Statement,
    private readonly mark: (tx: Tx) => Promise<void>,
  ) {}

  /**
   * @param scope what `mark`, and the last statements of the work, see and write
   * @param mark runs in each transaction that commits before the work is over
   */
  static async begin(scope: Scope, mark: (tx: Tx) => Promise<void>): Promise<UnitOfWork> {
    return new UnitOfWork(scopeStatement(scope, await readyFor(scope), cfg.db.statementTimeoutMs), mark);
  }

  run<T>(fn: () => Promise<T>): Promise<T> {
    return current.run(this, fn);
  }

  /** Before a transaction of the work begins. @throws what became of the commit that was held */
  async enter(): Promise<void> {
    if (!this.isOver) await this.settle();
    this.open++;
  }

  /** When it is over, whatever its outcome. */
  leave(): void {
    this.open--;
  }

  /** Commits, or holds, a transaction of the work whose body is over. */
  async bodyOver(transaction: EndingTransaction): Promise<void> {
    if (this.isOver) return transaction.commit();
    // Another one of the work may wait for this one's session.
    if (this.open > 1) return transaction.commit(this.setting, this.mark);
    this.held = transaction;
    this.holdTimer = setTimeout(() => void this.settle().catch(() => undefined), HOLD_MS).unref();
  }

  /**
   * The work has its outcome: `last` writes it, in the transaction that is held. False when none is: then whoever asks
   * writes it in a transaction of its own.
   * @throws what became of an earlier commit of the work, or of this one
   */
  async finish(last: (tx: Tx) => Promise<void>): Promise<boolean> {
    this.isOver = true;
    const held = this.takeHeld();
    await this.settling;
    if (held === undefined) return false;
    await held.commit(this.setting, last);
    return true;
  }

  private settle(): Promise<void> {
    const held = this.takeHeld();
    if (held !== undefined) {
      this.settling = held.commit(this.setting, this.mark);
      // Whoever asks next has it; nobody may.
      this.settling.catch(() => undefined);
    }
    return this.settling;
  }

  private takeHeld(): EndingTransaction | undefined {
    clearTimeout(this.holdTimer);
    const { held } = this;
    this.held = undefined;
    return held;
  }
}
