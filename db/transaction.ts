// One transaction: idle → open → ending → closed.
//   idle    a connection is held, nothing was sent; a body that never asks anything costs no round trip.
//   open    from the first statement on, which travels together with BEGIN and the scope in one message.
//           Statements whose outcome the body does not wait for travel with the next one, or with COMMIT: a body that asks
//           for such only is one message in all, whose Sync ends its implicit transaction (pipeline.ts).
//   ending  the body is over: COMMIT or ROLLBACK is under way. Whatever is asked for now would run behind it,
//           without the scope, so it is refused, and so is what was asked for before but not yet sent.
//   closed  committed or rolled back; every further use is refused.
// Statements of one transaction run one after the other in the order they were asked for. A body that ends
// while one of its statements has no answer is rolled back: whoever did not wait cannot know what was written.
// While the body runs, its async context may not take a second connection: on the embedded database, which has
// one session, that would wait for ever, and elsewhere it can exhaust the pool.
import type { PoolClient } from "pg";
import { cfg } from "../config";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { backoffMs, type Backoff } from "./backoff";
import { DbError, toDbError, withCallerStack } from "./errors";
import { checkout, readyFor } from "./connection";
import { sendPipelined, type Statement, type StatementResult } from "./pipeline";
import { markUnused } from "./session-reset";
import { scopeStatement, type Isolation, type Scope } from "./scope";
import { tracedSql } from "./spans";
import { systemUse } from "./system-use";
import type { TransactionOptions, Tx } from "./tx";
import { currentUnit, type EndingTransaction } from "./unit-of-work";
import { assertOutsideTransaction, runInside } from "./transaction-context";
import {
  abortedError,
  controlMisuse,
  endedInsideError,
  isAbortedOn,
  isInTransaction,
  isOverError,
  notAwaitedError,
} from "./transaction-control";

export type { TransactionOptions, Tx } from "./tx";

const BEGIN: Statement = { text: "begin" };
const COMMIT: Statement = { text: "commit" };
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
      if (!(error instanceof DbError && error.retryable) || run >= MAX_RUNS) throw error;
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
  try {
    const results = await tracedSql(text, () => sendPipelined(client, [setting, { text, values: params }], true));
    if (isInTransaction(client)) throw endedInsideError();
    client.release();
    return (results[1]?.rows ?? []) as R[];
  } catch (thrown) {
    const error = withCallerStack(thrown);
    client.release(isBroken(error));
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

class OpenTransaction implements Tx {
  readonly tenantId: TenantId | null;
  private state: "idle" | "open" | "ending" | "closed" = "idle";
  /** Resolves when the statement asked for last has its answer; never rejects. */
  private last: Promise<void> = Promise.resolve();
  private unanswered = 0;
  private wasIdle = true;
  /** Whether BEGIN was sent and nothing has ended it since. */
  hasBegun = false;
  /** The first failure of a statement: the cause of a commit that cannot be. */
  private failure: unknown;
  /** Set when a statement ended the transaction that the scope belongs to. */
  private escaped: DbError | undefined;
  private readonly hooks: (() => void)[] = [];
  /** Asked for and to be sent with what comes next. */
  private readonly later: Statement[] = [];

  constructor(
    private readonly client: PoolClient,
    scope: Scope,
    private readonly opening: readonly Statement[],
  ) {
    this.tenantId = scope.kind === "system" ? null : scope.tenantId;
  }

  get isClosed(): boolean {
    return this.state === "closed";
  }

  get isAborted(): boolean {
    return isAbortedOn(this.client);
  }

  query<R>(text: string, params: readonly unknown[] = []): Promise<R[]> {
    return this.ask({ text, values: params }, (result) => result.rows as R[]);
  }

  execute(text: string, params: readonly unknown[] = []): Promise<number> {
    return this.ask({ text, values: params }, (result) => result.rowCount ?? 0);
  }

  executeLater(text: string, values: readonly unknown[] = []): void {
    const refusal = this.isOver ? isOverError() : controlMisuse(text);
    if (refusal) throw refusal;
    this.later.push({ text, values });
  }

  afterCommit(fn: () => void): void {
    if (this.isOver) throw isOverError();
    this.hooks.push(fn);
  }

  /** The body is over: from here on it is refused whatever it asks for. */
  async close(): Promise<void> {
    const unanswered = this.unanswered;
    await this.end();
    if (this.escaped) throw this.escaped;
    if (unanswered > 0) throw notAwaitedError(unanswered, this.failure);
  }

  /** The same transaction for what belongs behind its body, under the scope that `setting` applies with the first statement. */
  behindBody(setting: Statement): Tx {
    let before = [setting];
    const send = async (text: string, values: readonly unknown[] = []): Promise<StatementResult | undefined> => {
      const opening = before;
      before = [];
      const results = await tracedSql(text, () => sendPipelined(this.client, [...opening, { text, values }]));
      return results[opening.length];
    };
    const { client } = this;
    return {
      tenantId: this.tenantId,
      get isAborted() {
        return isAbortedOn(client);
      },
      query: async <R>(text: string, values?: readonly unknown[]) => ((await send(text, values))?.rows ?? []) as R[],
      execute: async (text, values) => (await send(text, values))?.rowCount ?? 0,
      executeLater: () => {
        throw isOverError();
      },
      afterCommit: (fn) => void this.hooks.push(fn),
    };
  }

  /** Sends what was to be sent later. */
  async sendLater(): Promise<void> {
    const last = this.later.pop();
    if (last !== undefined) await this.send(last);
  }

  /** After `close`. */
  async commit(): Promise<void> {
    const isCommitted = await this.sendLast();
    this.hasBegun = false;
    if (!isCommitted) throw abortedError(this.failure);
    if (this.wasIdle) markUnused(this.client);
    this.state = "closed";
  }

  /** What is left to send and the end of the transaction, in one message. False when it was rolled back. */
  private async sendLast(): Promise<boolean> {
    const later = this.later.splice(0);
    const [first] = later;
    if (first === undefined && !this.hasBegun) return true;
    this.wasIdle = false;
    const send = (statements: readonly Statement[]): Promise<StatementResult[]> =>
      first === undefined
        ? sendPipelined(this.client, statements, true)
        : tracedSql(first.text, () => sendPipelined(this.client, statements, true));
    const [begin, setting] = this.opening;
    if (!this.hasBegun && begin === BEGIN && setting !== undefined) {
      await send([setting, ...later]);
      return true;
    }
    const before = this.hasBegun ? later : [...this.opening, ...later];
    this.hasBegun = true;
    // Postgres answers ROLLBACK to the COMMIT of a transaction in which a statement failed.
    return (await send([...before, COMMIT])).at(-1)?.command === "COMMIT";
  }

  /** False when the connection is in no state to be used again. */
  async rollback(): Promise<boolean> {
    await this.end();
    try {
      if (this.hasBegun) await sendPipelined(this.client, [{ text: "rollback" }], true);
      return !isInTransaction(this.client);
    } catch {
      return false;
    } finally {
      this.state = "closed";
    }
  }

  runHooks(): void {
    for (const hook of this.hooks) {
      try {
        hook();
      } catch (error) {
        logger("db").error({ err: error }, "an after-commit hook failed");
      }
    }
  }

  private get isOver(): boolean {
    return this.state === "ending" || this.state === "closed";
  }

  /** From here on nothing is sent; resolves when what was sent has its answer. */
  private async end(): Promise<void> {
    this.state = "ending";
    await this.last;
  }

  private ask<T>(statement: Statement, read: (result: StatementResult) => T): Promise<T> {
    const refusal = this.isOver ? isOverError() : controlMisuse(statement.text);
    if (refusal) {
      logger("db").error({ err: refusal }, "a statement was refused");
      return handled(Promise.reject(refusal));
    }
    // One reaction only, the caller's: V8 follows a promise to who waits for it when it has no second one.
    const answer: Promise<T> = this.run(statement, read, () => void handled(answer));
    return answer;
  }

  private async run<T>(statement: Statement, read: (result: StatementResult) => T, onFailure: () => void): Promise<T> {
    const before = this.last;
    let answered!: () => void;
    this.last = new Promise((resolve) => (answered = resolve));
    this.unanswered++;
    try {
      await before;
      if (this.isOver) throw isOverError();
      return read(await this.send(statement));
    } catch (thrown) {
      const error = withCallerStack(thrown);
      this.failure ??= error;
      onFailure();
      throw error;
    } finally {
      this.unanswered--;
      answered();
    }
  }

  private async send(statement: Statement): Promise<StatementResult> {
    const before = [...(this.hasBegun ? [] : this.opening), ...this.later.splice(0)];
    if (this.state === "idle") this.state = "open";
    this.wasIdle = false;
    this.hasBegun = true;
    const results = await tracedSql(statement.text, () => sendPipelined(this.client, [...before, statement]));
    if (!isInTransaction(this.client)) {
      this.hasBegun = false;
      this.state = "ending";
      throw (this.escaped = endedInsideError());
    }
    return results[before.length] ?? { rows: [], rowCount: 0, command: "" };
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

/** A rejection that nobody may be waiting for: the transaction fails with it, or the log has it, so it must not end the process. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function isBroken(error: unknown): boolean {
  return error instanceof DbError && error.kind === "unavailable";
}

function noteSystemScope(scope: Scope): void {
  if (scope.kind === "system") systemUse().note(scope.reason);
}
