// Knows whether the running code is inside a transaction. A second connection asked for there waits for ever
// on the embedded database, which has one session, and can exhaust the pool elsewhere: so it is refused.
import { AsyncVariable } from "../telemetry/async-variable";
import { DbError } from "./errors";

export interface TransactionMark {
  readonly isClosed: boolean;
}

const current = new AsyncVariable<TransactionMark>();

/** Throws DbError `misuse` when the calling async context is inside a transaction that is still open. */
export function assertOutsideTransaction(what: string): void {
  const mark = current.get();
  if (mark && !mark.isClosed) {
    throw new DbError(
      "misuse",
      `${what} inside a transaction: use the transaction's own handle, a second connection may wait for ever`,
    );
  }
}

/** Runs `fn` as the inside of a transaction. */
export function runInside<T>(mark: TransactionMark, fn: () => T): T {
  return current.run(mark, fn);
}
