// Encore's database names on one Postgres server: the app's first database is DATABASE_URL itself, each
// further one a database beside it, `<dbname>_<name>`, made when missing.
import pg from "pg";
import type { HostConfig } from "../config";
import { connect } from "./connect";
import { InfraError } from "./errors";

const duplicateDatabase = "42P04";
const uniqueViolation = "23505"; // two CREATE DATABASE at the same moment

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const quoteQualified = ({ schema, name }: { schema: string; name: string }): string =>
  `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;

/** The same connection string with another database name. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(name)}`;
  return changed.toString();
}

export const databaseOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1));

function checkUrl(url: string): void {
  const problem = `is not a Postgres connection string: it must look like postgresql://user:password@host:5432/name`;
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol))
    throw new InfraError(`DATABASE_URL ${problem}`);
  if (databaseOf(url) === "") throw new InfraError(`DATABASE_URL names no database: end it with /name`);
}

/** Runs one statement on a server; the connection string's errors become readable ones. */
export async function runOnServer(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = await connect(url, "groundwork");
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createIfMissing(url: string, name: string): Promise<void> {
  const found = await runOnServer(url, "SELECT 1 FROM pg_database WHERE datname = $1", [name]);
  if (found.length) return;
  await runOnServer(url, `CREATE DATABASE ${quoteIdentifier(name)}`).catch((error: unknown) => {
    if (error instanceof pg.DatabaseError && (error.code === duplicateDatabase || error.code === uniqueViolation))
      return;
    throw error;
  });
}

/** Where the app's databases are on a server. @throws InfraError when the address is none */
export function addressesAt(url: string, names: string[]): HostConfig["databases"] {
  checkUrl(url);
  return Object.fromEntries(
    names.map((name, index) => [name, { url: index === 0 ? url : withDatabase(url, `${databaseOf(url)}_${name}`) }]),
  );
}

/**
 * Maps the app's databases to a server, and makes those that are missing.
 * @throws InfraError when the server cannot be reached or refuses
 */
export async function databasesAt(url: string, names: string[]): Promise<HostConfig["databases"]> {
  const databases = addressesAt(url, names);
  try {
    await runOnServer(url, "SELECT 1");
    for (const [index, name] of names.entries())
      if (index > 0) await createIfMissing(url, `${databaseOf(url)}_${name}`);
  } catch (error) {
    const { host } = new URL(url);
    throw new InfraError(
      `Postgres of DATABASE_URL (${host}): ${error instanceof Error && error.message ? error.message : String(error)}\n  Check that it runs and that user, password and database name are right, or unset DATABASE_URL for the embedded one.`,
    );
  }
  return databases;
}
