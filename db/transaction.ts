// A body in one transaction under its scope (open-transaction.ts), run again after a deadlock.
// While the body runs, its async context may not take a second connection: on the embedded database, which has
// one session, that would wait for ever, and elsewhere it can exhaust the pool.
import type { PoolClient } from "pg";
import { cfg } from "../config";
import { dbTransactionConflictsTotal } from "../telemetry/metrics";
import { backoffMs, type Backoff } from "./backoff";
import { DbError, toDbError, withCallerStack } from "./errors";
import { checkout, readyFor } from "./connection";
import { BEGIN, OpenTransaction } from "./open-transaction";
import { sendPipelined, type Statement } from "./pipeline";
import { isPlain } from "./plain-statement";
import { scopeStatement, tenantOf, type Isolation, type Scope } from "./scope";
import { markClean } from "./session-reset";
import { tracedSql } from "./spans";
import { systemUse } from "./system-use";
import type { TransactionOptions, Tx } from "./tx";
import { currentUnit, type EndingTransaction } from "./unit-of-work";
import { assertOutsideTransaction, runInside } from "./transaction-context";
import { controlMisuse, endedInsideError, isInTransaction } from "./transaction-control";

export type { TransactionOptions, Tx } from "./tx";

const MAX_RUNS = 3;
const RETRY_BACKOFF: Backoff = { firstMs: 20, maxMs: 200 };

/** Runs `fn` in one transaction under the scope; again from its start after a deadlock or serialization failure. */
export async function runTransaction<T>(
  scope: Scope,
  fn: (tx: Tx) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  assertOutsideTransaction(scope.kind === "tenant" ? "withTenant" : "withSystem");
  noteSystemScope(scope);
  const unit = currentUnit();
  if (unit === undefined) return runUntilDone(scope, fn, options);
  await unit.enter();
  try {
    return await runUntilDone(scope, fn, options);
  } finally {
    unit.leave();
  }
}

async function runUntilDone<T>(scope: Scope, fn: (tx: Tx) => Promise<T>, options: TransactionOptions): Promise<T> {
  const opening = openingOf(scope, await readyFor(scope), options);
  for (let run = 1; ; run++) {
    try {
      return await runOnce(scope, opening, fn, options);
    } catch (thrown) {
      const error = toDbError(thrown);
      if (!(error instanceof DbError && error.retryable)) throw error;
      dbTransactionConflictsTotal.add(1, { kind: error.kind });
      if (run >= MAX_RUNS) throw error;
      await new Promise((resolve) => setTimeout(resolve, backoffMs(RETRY_BACKOFF, run)));
    }
  }
}

/** One statement under the scope in one round trip. */
export async function runStatement<R>(
  scope: Scope,
  text: string,
  params: readonly unknown[],
  options: TransactionOptions = {},
): Promise<R[]> {
  assertOutsideTransaction(scope.kind === "tenant" ? "tenantQuery" : "systemQuery");
  const misuse = controlMisuse(text);
  if (misuse) throw misuse;
  if (currentUnit() !== undefined) return runTransaction(scope, (tx) => tx.query<R>(text, params), options);
  noteSystemScope(scope);
  const setting = settingOf(scope, await readyFor(scope), options);
  const client = await checkout(options.statementTimeoutMs);
  const needsReset = !isPlain(text);
  try {
    const results = await tracedSql(text, tenantOf(scope), () =>
      sendPipelined(client, [setting, { text, values: params }], needsReset),
    );
    if (isInTransaction(client)) throw endedInsideError();
    if (!needsReset) markClean(client);
    client.release();
    return (results[1]?.rows ?? []) as R[];
  } catch (thrown) {
    const error = withCallerStack(thrown);
    client.release(isBroken(error) || isInTransaction(client));
    throw error;
  }
}

async function runOnce<T>(
  scope: Scope,
  opening: readonly Statement[],
  fn: (tx: Tx) => Promise<T>,
  { statementTimeoutMs }: TransactionOptions,
): Promise<T> {
  const client = await checkout(statementTimeoutMs);
  const tx = new OpenTransaction(client, scope, opening);
  let result: T;
  try {
    result = await whileConnected(
      client,
      runInside(tx, () => fn(tx)),
    );
    await tx.close();
    // Whoever keeps a unit's outcome writes it into this transaction, under another scope.
    if (currentUnit() !== undefined) await tx.sendLater();
  } catch (thrown) {
    throw await giveUp(client, tx, thrown);
  }
  const unit = tx.hasBegun ? currentUnit() : undefined;
  await (unit === undefined ? end(client, tx) : unit.bodyOver(ending(client, tx)));
  return result;
}

const ending = (client: PoolClient, tx: OpenTransaction): EndingTransaction => ({
  commit: (setting, last) => end(client, tx, setting && last && (() => last(tx.behindBody(setting)))),
});

/** Commits, after `last`. */
async function end(client: PoolClient, tx: OpenTransaction, last?: () => Promise<void>): Promise<void> {
  try {
    await last?.();
    await tx.commit();
  } catch (thrown) {
    throw await giveUp(client, tx, thrown);
  }
  client.release();
  tx.runHooks();
}

/** The error to throw, once everything is rolled back and the connection given back. */
async function giveUp(client: PoolClient, tx: OpenTransaction, thrown: unknown): Promise<unknown> {
  const error = toDbError(thrown);
  const clean = await tx.rollback();
  client.release(!clean || isBroken(error));
  return error;
}

/** What a body is given to notice by itself that its connection is gone. */
const LOST_GRACE_MS = 1000;

/**
 * The body's outcome, or the end of its connection: a body that never settles, whose transaction the server has ended for
 * its idleness, would keep its place in the pool for ever.
 */
async function whileConnected<T>(client: PoolClient, body: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onEnd: (() => void) | undefined;
  const lost = new Promise<never>((_, reject) => {
    const end = (): void =>
      reject(new DbError("unavailable", "the connection ended before the transaction's body did"));
    onEnd = () => (timer = setTimeout(end, LOST_GRACE_MS));
    client.once("end", onEnd);
  });
  try {
    return await Promise.race([body, lost]);
  } finally {
    clearTimeout(timer);
    if (onEnd) client.off("end", onEnd);
  }
}

function openingOf(scope: Scope, applied: Isolation, options: TransactionOptions): readonly Statement[] {
  return [
    options.isSnapshot ? { text: "begin isolation level repeatable read read only" } : BEGIN,
    settingOf(scope, applied, options),
  ];
}

function settingOf(scope: Scope, applied: Isolation, options: TransactionOptions): Statement {
  return scopeStatement(scope, applied, options.statementTimeoutMs ?? cfg.db.statementTimeoutMs);
}

function isBroken(error: unknown): boolean {
  return error instanceof DbError && error.kind === "unavailable";
}

function noteSystemScope(scope: Scope): void {
  if (scope.kind === "system") systemUse().note(scope.reason);
}
