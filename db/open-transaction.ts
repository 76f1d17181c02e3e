// What a transaction's body is given, and what becomes of it: idle → open → ending → closed.
//   idle    a connection is held, nothing was sent; a body that never asks anything costs no round trip.
//   open    from the first statement on, which travels together with BEGIN and the scope in one message.
//           Statements whose outcome the body does not wait for travel with the next one, or with COMMIT: a body that asks
//           for such only is one message in all, whose Sync ends its implicit transaction (pipeline.ts).
//   ending  the body is over: COMMIT or ROLLBACK is under way. Whatever is asked for now would run behind it,
//           without the scope, so it is refused, and so is what was asked for before but not yet sent.
//   closed  committed or rolled back; every further use is refused.
// Statements of one transaction run one after the other in the order they were asked for. A body that ends
// while one of its statements has no answer is rolled back: whoever did not wait cannot know what was written.
import { AsyncResource } from "node:async_hooks";
import type { PoolClient } from "pg";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { withCallerStack, type DbError } from "./errors";
import { encoded, sendPipelined, type Statement, type StatementResult } from "./pipeline";
import { isPlain } from "./plain-statement";
import { RepeatedStatements } from "./repeated-statements";
import { tenantOf, type Scope } from "./scope";
import { markClean } from "./session-reset";
import { tracedSql } from "./spans";
import {
  abortedError,
  controlMisuse,
  endedInsideError,
  isAbortedOn,
  isInTransaction,
  isOverError,
  notAwaitedError,
} from "./transaction-control";
import type { Tx } from "./tx";

export const BEGIN: Statement = { text: "begin", isBlind: true };
const COMMIT: Statement = { text: "commit", isBlind: true };
const ROLLBACK: Statement = { text: "rollback", isBlind: true };
/** Longer than a body that asks the database only, short for the locks and the place in the pool of one that waits for something else. */
const LATER_MS = 1_000;

export class OpenTransaction implements Tx {
  readonly tenantId: TenantId | null;
  private state: "idle" | "open" | "ending" | "closed" = "idle";
  /** Resolves when the statement asked for last has its answer; never rejects. */
  private last: Promise<void> = Promise.resolve();
  private unanswered = 0;
  /** Whether what was asked for so far leaves nothing in the session: then there is nothing to reset. */
  private isPlain = true;
  /** Whether BEGIN was sent and nothing has ended it since. */
  hasBegun = false;
  /** The first failure of a statement: the cause of a commit that cannot be. */
  private failure: unknown;
  /** Whether the last statement that was answered was refused: that the server is ready again, and how, it says later. */
  private isRefused = false;
  /** Set when a statement ended the transaction that the scope belongs to. */
  private escaped: DbError | undefined;
  private readonly hooks: (() => void)[] = [];
  /** Asked for and to be sent with what comes next, or by itself where nothing comes. */
  private readonly later: Statement[] = [];
  private readonly repeated = new RepeatedStatements();
  private laterTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: PoolClient,
    scope: Scope,
    private readonly opening: readonly Statement[],
  ) {
    this.tenantId = tenantOf(scope);
  }

  get isClosed(): boolean {
    return this.state === "closed";
  }

  get isAborted(): boolean {
    return this.isRefused || isAbortedOn(this.client);
  }

  get unsent(): number {
    return this.later.length;
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
    this.isPlain &&= isPlain(text);
    this.later.push(encoded({ text, values, isBlind: true }));
    // From then on the server bounds how long the body may wait for something else.
    this.sendInAWhile();
  }

  afterCommit(fn: () => void): void {
    this.assertOpen();
    this.hooks.push(bound(fn));
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
    this.isPlain = false;
    const send = async (text: string, values: readonly unknown[] = []): Promise<StatementResult | undefined> => {
      const opening = before;
      before = [];
      const results = await tracedSql(text, this.tenantId, () =>
        sendPipelined(this.client, [...opening, { text, values }]),
      );
      return results[opening.length];
    };
    const { client } = this;
    return {
      tenantId: this.tenantId,
      get isAborted() {
        return isAbortedOn(client);
      },
      unsent: 0,
      query: async <R>(text: string, values?: readonly unknown[]) => ((await send(text, values))?.rows ?? []) as R[],
      execute: async (text, values) => (await send(text, values))?.rowCount ?? 0,
      executeLater: () => {
        throw isOverError();
      },
      afterCommit: (fn) => void this.hooks.push(bound(fn)),
    };
  }

  /** Sends what was to be sent later. */
  async sendLater(): Promise<void> {
    const later = this.takeLater();
    if (later.length > 0) await this.send(later);
  }

  /** After `close`. */
  async commit(): Promise<void> {
    const isCommitted = await this.sendLast();
    this.hasBegun = false;
    if (!isCommitted) throw abortedError(this.failure);
    // Then giving up rolls it back: something of what was sent last has begun another one.
    if (isInTransaction(this.client)) throw ((this.hasBegun = true), endedInsideError());
    if (this.isPlain) markClean(this.client);
    this.state = "closed";
  }

  /** What is left to send and the end of the transaction, in one message. False when it was rolled back. */
  private async sendLast(): Promise<boolean> {
    const { statements: later } = this.repeated.named(this.takeLater());
    const [first] = later;
    if (first === undefined && !this.hasBegun) return true;
    const send = (statements: readonly Statement[]): Promise<StatementResult[]> =>
      first === undefined
        ? sendPipelined(this.client, statements, !this.isPlain, this.repeated.all())
        : tracedSql(first.text, this.tenantId, () =>
            sendPipelined(this.client, statements, !this.isPlain, this.repeated.all()),
          );
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
    this.takeLater();
    await this.end();
    try {
      // What failed without a BEGIN is rolled back, but may have left the names of its statements.
      const names = this.repeated.all();
      if (this.hasBegun || names.length > 0) await sendPipelined(this.client, [ROLLBACK], true, names);
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
    this.isPlain &&= isPlain(statement.text);
    let together: Statement[];
    try {
      const own = encoded(statement);
      // What was asked for before it travels with it, and nothing that is asked for after it.
      together = [...this.takeLater(), own];
    } catch (unencodable) {
      return handled(Promise.reject(withCallerStack(unencodable)));
    }
    // One reaction only, the caller's: V8 follows a promise to who waits for it when it has no second one.
    const answer: Promise<T> = this.run(together, read, () => void handled(answer));
    return answer;
  }

  /** What a body that asks for nothing else has waiting; where it fails, so does the commit, which waits for it. */
  private sendWaiting(): void {
    this.laterTimer = undefined;
    if (this.isOver) return;
    if (this.unanswered > 0) this.sendInAWhile();
    else void handled(this.inTurn(this.takeLater()));
  }

  private sendInAWhile(): void {
    this.laterTimer ??= setTimeout(() => this.sendWaiting(), LATER_MS).unref();
  }

  private takeLater(): Statement[] {
    clearTimeout(this.laterTimer);
    this.laterTimer = undefined;
    return this.later.splice(0);
  }

  /** What the body waits for: one that ends before is rolled back. */
  private async run<T>(
    together: readonly Statement[],
    read: (result: StatementResult) => T,
    onFailure: () => void,
  ): Promise<T> {
    this.unanswered++;
    try {
      return read(await this.inTurn(together, () => this.assertOpen()));
    } catch (error) {
      onFailure();
      throw error;
    } finally {
      this.unanswered--;
    }
  }

  private assertOpen(): void {
    if (this.isOver) throw isOverError();
  }

  private async inTurn(together: readonly Statement[], check?: () => void): Promise<StatementResult> {
    const before = this.last;
    let answered!: () => void;
    this.last = new Promise((resolve) => (answered = resolve));
    try {
      await before;
      check?.();
      return await this.send(together);
    } catch (thrown) {
      const error = withCallerStack(thrown);
      this.failure ??= error;
      this.isRefused = true;
      throw error;
    } finally {
      answered();
    }
  }

  /** One message; the result of the last statement. */
  private async send(statements: readonly Statement[]): Promise<StatementResult> {
    const { statements: named, confirm } = this.repeated.named(statements);
    const all = [...(this.hasBegun ? [] : this.opening), ...named];
    if (this.state === "idle") this.state = "open";
    this.hasBegun = true;
    const results = await tracedSql(statements.at(-1)?.text ?? "", this.tenantId, () =>
      sendPipelined(this.client, all),
    );
    confirm();
    this.isRefused = false;
    if (!isInTransaction(this.client)) {
      this.hasBegun = false;
      this.state = "ending";
      throw (this.escaped = endedInsideError());
    }
    return results[all.length - 1] ?? { rows: [], rowCount: 0, command: "" };
  }
}

/**
 * Bound to who asks for it: a transaction may be shared, and is ended by who began it. AsyncResource.bind is the same and, on
 * Node 20, a hundred times as dear: each function that it makes gets a deprecated property of its own.
 */
function bound(fn: () => void): () => void {
  const asker = new AsyncResource("AfterCommit");
  return () => asker.runInAsyncScope(fn);
}

/** A rejection that nobody may be waiting for: the transaction fails with it, or the log has it, so it must not end the process. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
