// One transaction: idle → open → closed.
//   idle    a connection is held, nothing was sent; a body that never asks anything costs no round trip.
//   open    from the first statement on, which travels together with BEGIN and the scope in one message.
//   closed  committed or rolled back; every further use throws.
// Statements of one transaction run one after the other in the order they were asked for. While the body
// runs, its async context may not take a second connection: on the embedded database, which has one
// session, that would wait for ever, and elsewhere it can exhaust the pool.
import type { PoolClient } from "pg";
import { cfg } from "../config";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { DbError, toDbError } from "./errors";
import { checkout, isolation } from "./connection";
import { sendPipelined, type Statement, type StatementResult } from "./pipeline";
import { scopeStatement, type Isolation, type Scope } from "./scope";
import { tracedSql } from "./spans";
import { assertOutsideTransaction, runInside } from "./transaction-context";

export interface Tx {
  /** Runs one statement; resolves with its rows. Parameters as pg maps them: objects to JSON, arrays to Postgres arrays. */
  query<R>(text: string, params?: readonly unknown[]): Promise<R[]>;
  /** Runs one statement; resolves with the number of rows it changed. */
  execute(text: string, params?: readonly unknown[]): Promise<number>;
  /** The tenant it acts for; null for a system transaction. */
  readonly tenantId: TenantId | null;
  /** Runs `fn` after a successful commit, in order; what it throws is logged. Forgotten on rollback. */
  afterCommit(fn: () => void): void;
}

const MAX_RUNS = 3;
const RETRY_BASE_MS = 10;

/** Runs `fn` in one transaction under the scope; again from its start after a deadlock or serialization failure. */
export async function runTransaction<T>(scope: Scope, fn: (tx: Tx) => Promise<T>): Promise<T> {
  assertOutsideTransaction(scope.kind === "tenant" ? "withTenant" : "withSystem");
  noteSystemScope(scope);
  const applied = await isolation();
  for (let run = 1; ; run++) {
    try {
      return await runOnce(scope, applied, fn);
    } catch (thrown) {
      const error = toDbError(thrown);
      if (!(error instanceof DbError && error.retryable) || run >= MAX_RUNS) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_BASE_MS * 2 ** run * (0.5 + Math.random() / 2)));
    }
  }
}

/** One statement under the scope in one round trip. */
export async function runStatement<R>(scope: Scope, text: string, params: readonly unknown[]): Promise<R[]> {
  assertOutsideTransaction(scope.kind === "tenant" ? "tenantQuery" : "systemQuery");
  noteSystemScope(scope);
  const applied = await isolation();
  return tracedSql(text, async () => {
    const client = await checkout();
    try {
      const results = await sendPipelined(client, [
        scopeStatement(scope, applied, cfg.db.statementTimeoutMs),
        { text, values: params },
      ]);
      client.release();
      return (results[1]?.rows ?? []) as R[];
    } catch (thrown) {
      const error = toDbError(thrown);
      client.release(isBroken(error));
      throw error;
    }
  });
}

async function runOnce<T>(scope: Scope, applied: Isolation, fn: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await checkout();
  const tx = new OpenTransaction(client, scope, applied);
  let result: T;
  try {
    result = await runInside(tx, () => fn(tx));
    await tx.commit();
  } catch (thrown) {
    const error = toDbError(thrown);
    const clean = await tx.rollback();
    client.release(!clean || isBroken(error));
    throw error;
  }
  client.release();
  tx.runHooks();
  return result;
}

class OpenTransaction implements Tx {
  readonly tenantId: TenantId | null;
  private state: "idle" | "open" | "closed" = "idle";
  private last: Promise<unknown> = Promise.resolve();
  private readonly hooks: (() => void)[] = [];

  constructor(
    private readonly client: PoolClient,
    private readonly scope: Scope,
    private readonly applied: Isolation,
  ) {
    this.tenantId = scope.kind === "tenant" ? scope.tenantId : null;
  }

  get isClosed(): boolean {
    return this.state === "closed";
  }

  async query<R>(text: string, params: readonly unknown[] = []): Promise<R[]> {
    return (await this.send({ text, values: params })).rows as R[];
  }

  async execute(text: string, params: readonly unknown[] = []): Promise<number> {
    return (await this.send({ text, values: params })).rowCount ?? 0;
  }

  afterCommit(fn: () => void): void {
    this.hooks.push(fn);
  }

  async commit(): Promise<void> {
    await this.last;
    if (this.state === "open") {
      const done = await this.client.query("commit");
      // Postgres answers ROLLBACK to the COMMIT of a transaction in which a statement failed.
      if (done.command !== "COMMIT")
        throw new DbError("transaction_aborted", "a statement of the transaction failed, so nothing was committed");
    }
    this.state = "closed";
  }

  /** False when the connection is in no state to be used again. */
  async rollback(): Promise<boolean> {
    await this.last;
    const wasOpen = this.state === "open";
    this.state = "closed";
    if (!wasOpen) return true;
    return this.client.query("rollback").then(
      () => true,
      () => false,
    );
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

  private send(statement: Statement): Promise<StatementResult> {
    if (this.state === "closed")
      return Promise.reject(new DbError("misuse", "the transaction is over: a statement was not awaited inside it"));
    const sent = this.last.then(() => tracedSql(statement.text, () => this.sendNow(statement)));
    this.last = sent.catch(() => undefined);
    return sent;
  }

  private async sendNow(statement: Statement): Promise<StatementResult> {
    const opening =
      this.state === "idle"
        ? [{ text: "begin" }, scopeStatement(this.scope, this.applied, cfg.db.statementTimeoutMs)]
        : [];
    this.state = "open";
    try {
      const results = await sendPipelined(this.client, [...opening, statement]);
      return results[opening.length] ?? { rows: [], rowCount: 0, command: "" };
    } catch (error) {
      throw toDbError(error);
    }
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof DbError && error.kind === "unavailable";
}

function noteSystemScope(scope: Scope): void {
  if (scope.kind === "system") logger("db").debug({ reason: scope.reason }, "system scope");
}
