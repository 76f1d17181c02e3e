// What the inside of a transaction may do.
import type { TenantId } from "../security/principal";

export interface Tx {
  /** Runs one statement; resolves with its rows. Parameters as pg maps them: objects to JSON, arrays to Postgres arrays. */
  query<R>(text: string, params?: readonly unknown[]): Promise<R[]>;
  /** Runs one statement; resolves with the number of rows it changed. */
  execute(text: string, params?: readonly unknown[]): Promise<number>;
  /**
   * Sends one statement with the next one, or with the commit, in the same message: for a write whose outcome nobody in
   * the body waits for. Where it fails, what it travels with fails by it. Where nothing follows it within a second it is sent.
   */
  executeLater(text: string, params?: readonly unknown[]): void;
  /** How many statements of executeLater were not sent yet. */
  readonly unsent: number;
  /** The tenant it acts for; null for a system transaction. */
  readonly tenantId: TenantId | null;
  /** Whether a statement failed: then nothing more can be asked for, and nothing will commit. */
  readonly isAborted: boolean;
  /** Runs `fn` after a successful commit, in order; what it throws is logged. Forgotten on rollback. */
  afterCommit(fn: () => void): void;
}

export interface TransactionOptions {
  /** Bounds each statement, instead of DB_STATEMENT_TIMEOUT_MS: for upkeep, which may take longer than a request. */
  readonly statementTimeoutMs?: number;
  /** All statements see one state of the database, that of the first, and none changes anything. */
  readonly isSnapshot?: boolean;
}
