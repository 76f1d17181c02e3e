// What a connection's user leaves in its session must not reach the next one: a search path or a temporary table that
// shadows ours, a cursor that holds rows, a lock, a channel. So each use of a connection ends with the statements that
// DISCARD ALL stands for, but for the cached plans, which hold nothing of anybody and are dear to make again. They run
// outside of the transaction, behind everything that its commit sets off, and travel in the same packet as its end, so
// that nobody waits for them. A use that asked for plain statements only (plain-statement.ts) needs none. asyncpg and PgBouncer (server_reset_query) reset their connections so as well.
// Source: https://www.postgresql.org/docs/current/sql-discard.html
import type { Pool, PoolClient, Submittable } from "pg";

/** The embedded database's server knows these statements as the end of a connection's use (runtime/infra/embedded). */
const RESET = [
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "DEALLOCATE ALL",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
  "SELECT pg_advisory_unlock_all()",
].join("; ");

/** SQLSTATE in_failed_sql_transaction. */
const IN_FAILED_TRANSACTION = "25P02";

interface SimpleWire {
  query(text: string): void;
  stream: { destroy(error?: Error): void };
}

/** Waits for the answer to RESET, which was sent already or is sent now. A connection that cannot be reset is of no more use. */
class SessionReset implements Submittable {
  private failure: Error | undefined;
  private wire: SimpleWire | undefined;

  constructor(
    private readonly isSent: boolean,
    /** Whether it may find a transaction that failed before its COMMIT: whoever rolls that back resets the session then. */
    private readonly mayBeRefused: boolean,
    /** Called once it is this one's turn, or can never be: from then on the connection may be asked again. */
    private onTurn?: () => void,
  ) {}

  submit(connection: unknown): Error | undefined {
    this.wire = connection as SimpleWire;
    if (!this.isSent) this.wire.query(RESET);
    this.turn();
    return undefined;
  }

  handleError(error: Error & { code?: string }): void {
    if (this.mayBeRefused && error.code === IN_FAILED_TRANSACTION) return;
    this.failure = error;
    this.turn();
    this.wire?.stream.destroy(error);
  }

  handleReadyForQuery(): void {
    if (this.failure) this.wire?.stream.destroy(this.failure);
  }

  private turn(): void {
    this.onTurn?.();
    this.onTurn = undefined;
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
}

/** Connections whose reset is under way: nothing was sent since. */
const clean = new WeakSet<PoolClient>();

/** Sends the reset behind what was just written, in the same packet: for a submittable of ours, before anything else is asked. */
export function writeReset(connection: unknown): void {
  (connection as SimpleWire).query(RESET);
}

/**
 * Takes the answer to what writeReset has sent. Call it when the answer before it is complete: the driver
 * wants no queue; `onTurn` is when it has none. `mayBeRefused`: the message before it failed, perhaps in a transaction.
 */
export function awaitReset(client: PoolClient, mayBeRefused: boolean, onTurn: () => void): void {
  if (!mayBeRefused) clean.add(client);
  client.query(new SessionReset(true, mayBeRefused, onTurn));
}

/** Says that a connection's use has left nothing in its session. */
export function markClean(client: PoolClient): void {
  clean.add(client);
}

/** Resets every connection that comes back to the pool and has not been, whoever used it. */
export function resetOnRelease(pool: Pool): void {
  pool.on("release", (error: unknown, client: PoolClient) => {
    const isClean = clean.delete(client);
    if (!error && !isClean) client.query(new SessionReset(false, false));
  });
}
