// A connection for a backup or a restore: values as texts that mean the same on every server, no clock that ends a long
// transaction, and an error instead of missing rows where row security would hide some.
import pg from "pg";
import { connect, InfraError } from "../infra";

export interface TextRow {
  [at: number]: string | null;
  length: number;
}

const asText = { getTypeParser: () => (value: unknown) => value };

/** Of the transaction alone: the connections of the embedded database share one session. */
const settings = [
  "set local search_path = ''",
  "set local row_security = off",
  "set local timezone = 'UTC'",
  "set local datestyle = 'ISO, YMD'",
  "set local intervalstyle = 'postgres'",
  "set local bytea_output = 'hex'",
  "set local extra_float_digits = 1",
  "set local xmlbinary = 'base64'",
  "set local statement_timeout = 0",
  "set local idle_in_transaction_session_timeout = 0",
  // From Postgres 17 on.
  "select pg_catalog.set_config(name, '0', true) from pg_catalog.pg_settings where name = 'transaction_timeout'",
].join(";");

const OPERATOR = `Use an operator's login for this command alone: a superuser, or one with BYPASSRLS that may do all this, for example
  DATABASE_URL=postgresql://postgres:…@host:5432/app npx groundwork …`;

/** What Postgres says to a login that may not: 42501 also stands for row security that would hide rows. */
const insufficientPrivilege = "42501";

export class DatabaseSession {
  private constructor(
    readonly client: pg.Client,
    private readonly database: string,
  ) {}

  /** @throws InfraError when the server does not answer */
  static async open(url: string, database: string): Promise<DatabaseSession> {
    const client = await connect(url, "groundwork-backup").catch((error: unknown) => {
      throw new InfraError(
        `cannot connect to the database ${database}: ${error instanceof Error ? error.message : String(error)}\n  Does it run, and is DATABASE_URL right?`,
      );
    });
    return new DatabaseSession(client, database);
  }

  /** @throws InfraError with the remedy where the login may not */
  async query(sql: string, values: unknown[] = []): Promise<TextRow[]> {
    const query = { text: sql, values, rowMode: "array" as const, types: asText };
    const answer = await this.client.query(query).catch((error: unknown) => {
      if (!(error instanceof pg.DatabaseError)) throw error;
      if (error.code === insufficientPrivilege)
        throw new InfraError(
          `the login may not do this to the database ${this.database}: ${error.message}\n  ${OPERATOR}`,
        );
      throw error;
    });
    return answer.rows as TextRow[];
  }

  /** One transaction, `begin` being how it begins. */
  async transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    await this.client.query(begin);
    try {
      await this.client.query(settings);
      const result = await work();
      await this.client.query("commit");
      return result;
    } catch (error) {
      await this.client.query("rollback").catch(() => undefined);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.client.end().catch(() => undefined);
  }
}

export const readOnlySnapshot = "begin isolation level repeatable read read only";
