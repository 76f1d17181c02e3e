// One connection that only reads, unless it is asked to write.
//   Reading: each statement travels alone, in the extended protocol, inside a transaction that began READ ONLY and has a
// snapshot already. From then on Postgres refuses SET TRANSACTION READ WRITE (its variable.c,
// check_transaction_read_only), and a statement that ends the transaction cannot bring another one along. The
// transaction ends with its script, because on the embedded database everybody else waits for it.
//   Not held: what a superuser's functions do outside tables (COPY … TO a file, pg_terminate_backend, advisory locks).
import type pg from "pg";
import { connect, InfraError } from "../infra";
import type { Rows } from "./sql-output";
import { splitStatements } from "./sql-statements";

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
  ) {}

  /** @throws the driver's error when the database does not answer */
  static async open(url: string, mayWrite: boolean): Promise<SqlSession> {
    return new SqlSession(await connect(url, "groundwork-sql"), mayWrite);
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

  async #write(script: string, show: (rows: Rows) => void): Promise<void> {
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
    const { rows } = await this.client.query<{ mode: string }>(
      "SELECT pg_catalog.current_setting('transaction_read_only') AS mode",
    );
    if (rows[0]?.mode !== "on") throw new InfraError("the transaction may write: not going on");
  }
}
