// Template databases on a real Postgres server, for tests of races, kills and throughput.
import { randomBytes } from "node:crypto";
import type pg from "pg";
import { connect } from "./connect";
import type { ClonedDatabase } from "./copy-client";
import { quoteIdentifier, runOnServer, withDatabase } from "./database-url";
import { InfraError } from "./errors";
import { migrate } from "./migrations";

/** Serialises the making of templates by test runners that start together. */
const lockKey = 7_240_918_252;

async function exists(client: pg.Client, name: string): Promise<boolean> {
  return (await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name])).rows.length > 0;
}

/**
 * Makes the template database unless it is there.
 * @param server connection string of any database whose role may create databases
 * @returns the template's connection string
 */
export async function makeNativeTemplate(
  server: string,
  name: string,
  migrationsDir: string | undefined,
): Promise<string> {
  const client = await connect(server, "groundwork-templates").catch((error: unknown) => {
    throw new InfraError(
      `GROUNDWORK_TEST_POSTGRES_URL: ${error instanceof Error ? error.message : String(error)}\n  Start the server with scripts/native-postgres.sh start.`,
    );
  });
  try {
    await client.query("SELECT pg_advisory_lock($1)", [lockKey]);
    if (await exists(client, name)) return withDatabase(server, name);
    const draft = `${name}_new`;
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(draft)} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${quoteIdentifier(draft)}`);
    if (migrationsDir) await migrate(withDatabase(server, draft), migrationsDir, { log: () => undefined });
    await client.query(`ALTER DATABASE ${quoteIdentifier(draft)} RENAME TO ${quoteIdentifier(name)}`);
    return withDatabase(server, name);
  } finally {
    await client.end();
  }
}

export async function cloneNative(templateUrl: string): Promise<ClonedDatabase> {
  const name = `groundwork_test_${randomBytes(6).toString("hex")}`;
  const server = withDatabase(templateUrl, "postgres");
  const template = decodeURIComponent(new URL(templateUrl).pathname.slice(1));
  await runOnServer(server, `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE ${quoteIdentifier(template)}`);
  return {
    url: withDatabase(templateUrl, name),
    ownerUrl: withDatabase(templateUrl, name),
    drop: async () => void (await runOnServer(server, `DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`)),
  };
}
