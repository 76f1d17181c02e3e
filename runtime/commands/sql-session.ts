// One connection that only reads, unless it is asked to write.
//   Reading: each statement travels alone, in the extended protocol, inside a transaction that began READ ONLY and has a
// snapshot already. From then on Postgres refuses SET TRANSACTION READ WRITE (its variable.c,
// check_transaction_read_only), and a statement that ends the transaction cannot bring another one along. The
// transaction ends with its script, because on the embedded database everybody else waits for it.
//   A statement takes ten minutes at most, unless the settings of the server or the script say otherwise. Where the server itself
// says nothing any more, whoever waits learns it as late.
//   Not held: what a superuser's functions do outside tables (COPY … TO a file, pg_terminate_backend, advisory locks).
import type pg from "pg";
import { connect, InfraError } from "../infra";
import type { Rows } from "./sql-output";
import { dropWhenSilent, limitSilence } from "../silent-connection";
import { splitStatements } from "./sql-statements";

const STATEMENT_LIMIT_MS = 10 * 60_000;
const SILENCE_MARGIN_MS = 5_000;

/** Where nothing is set: all connections to the embedded database share one session, and it interrupts no statement. */
const LIMIT_STATEMENTS = `SELECT pg_catalog.set_config('statement_timeout', $1, false) FROM pg_catalog.version()
  WHERE pg_catalog.current_setting('statement_timeout') = '0' AND version !~* 'emcc|emscripten|wasm'`;
const STATEMENT_LIMIT = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'";

const asText = { getTypeParser: () => (value: unknown) => value };

type Result = pg.QueryArrayResult<(string | null)[]>;

const rowsOf = ({ command, rowCount, fields, rows }: Result): Rows => ({
  command,
  count: rowCount ?? 0,
  columns: fields.map(({ name }) => name),
  rows,
});

/** `queryMode` and `getTransactionStatus` are newer than the types of pg. */
type Client = pg.Client & { getTransactionStatus(): "I" | "T" | "E" | null };

export class StatementError extends Error {
  constructor(
    readonly sql: string,
    override readonly cause: unknown,
  ) {
    super("the statement failed");
  }
}

export class SqlSession {
  private constructor(
    private readonly client: Client,
    private readonly mayWrite: boolean,
    private readonly limitMs: number,
  ) {}

  /** @throws the driver's error when the database does not answer */
  static async open(url: string, mayWrite: boolean, limitMs = STATEMENT_LIMIT_MS): Promise<SqlSession> {
    const client = (await connect(url, "groundwork-sql")) as Client;
    const session = new SqlSession(client, mayWrite, limitMs);
    dropWhenSilent(client, session.#silenceMs(0));
    try {
      await client.query(LIMIT_STATEMENTS, [String(limitMs)]);
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /** Whether the script before left a transaction open. */
  get inTransaction(): boolean {
    return this.client.getTransactionStatus() !== "I";
  }

  /** Runs a script up to its first error. @throws StatementError */
  async run(script: string, show: (rows: Rows) => void): Promise<void> {
    await (this.mayWrite ? this.#write(script, show) : this.#read(script, show));
  }

  close(): Promise<void> {
    return this.client.end();
  }

  async #query(sql: string, more: { queryMode?: "extended" } = {}): Promise<Result[]> {
    const query = { text: sql, rowMode: "array" as const, types: asText, ...more };
    const answer = (await this.client.query(query).catch((error: unknown) => {
      throw new StatementError(sql, error);
    })) as unknown as Result | Result[];
    return Array.isArray(answer) ? answer : [answer];
  }

  /** How long the server may say nothing about a statement that it ends itself after `limit` (0: never). */
  #silenceMs(limit: number): number {
    const longest = Math.max(limit, this.limitMs);
    return longest + Math.min(SILENCE_MARGIN_MS, longest);
  }

  async #write(script: string, show: (rows: Rows) => void): Promise<void> {
    if (this.client.getTransactionStatus() !== "E") {
      const { rows } = await this.client.query<{ setting: string }>(STATEMENT_LIMIT);
      // A script that sets another limit is sent whole: nobody here knows which of its statements runs.
      const isKnown = !/statement_timeout/i.test(script);
      limitSilence(this.client, isKnown ? this.#silenceMs(Number(rows[0]?.setting)) : 0);
    }
    for (const result of await this.#query(script)) if (result.command) show(rowsOf(result));
  }

  async #read(script: string, show: (rows: Rows) => void): Promise<void> {
    const { statements, rest } = splitStatements(script);
    try {
      for (const statement of rest === "" ? statements : [...statements, rest]) {
        await this.#beginReading();
        for (const result of await this.#query(statement, { queryMode: "extended" })) show(rowsOf(result));
      }
    } finally {
      // COMMIT keeps what SET has set, and rolls back by itself after an error.
      if (this.inTransaction) await this.client.query("COMMIT").catch(() => undefined);
    }
  }

  /** Before every statement: the one before may have ended the transaction, or chained a new one without a snapshot. */
  async #beginReading(): Promise<void> {
    if (!this.inTransaction) await this.client.query("BEGIN READ ONLY");
    const { rows } = await this.client.query<{ mode: string; setting: string }>(
      `SELECT pg_catalog.current_setting('transaction_read_only') AS mode, (${STATEMENT_LIMIT})`,
    );
    if (rows[0]?.mode !== "on") throw new InfraError("the transaction may write: not going on");
    limitSilence(this.client, this.#silenceMs(Number(rows[0].setting)));
  }
}
