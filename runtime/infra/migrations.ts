// Applies migrations as Encore does (contract 7.7, D-40 … D-43), with the same bookkeeping table, so that a
// database can move between Encore and this host. Each migration is one transaction together with its row:
// a crash leaves it applied or not applied. Every transaction takes the same advisory lock and looks again
// what is applied, so two runners at once apply everything once.
import pg from "pg";
import { InfraError } from "./errors";
import { type Migration, type MigrationSet, readMigrations } from "./migration-files";

/** The key is arbitrary but fixed: "groundwork migrations" in one number. */
const lockKey = 7_240_918_251;

export interface MigrationRow {
  number: bigint;
  file: string;
  applied: boolean;
}

interface Applied {
  versions: Set<bigint>;
  latest: bigint;
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: "groundwork-migrate" });
  client.on("error", () => undefined);
  await client.connect().catch((error: unknown) => {
    throw new InfraError(`cannot connect to the database: ${error instanceof Error ? error.message : String(error)}`);
  });
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Rows left dirty by golang-migrate are a failed attempt: that version counts as not applied (D-42). */
async function readApplied(client: pg.Client): Promise<Applied> {
  // Not to_regclass: it may answer from a cache that has not yet heard of a table another runner has just made.
  const table = await client.query<{ found: boolean }>(
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename = 'schema_migrations') AS found",
  );
  if (!table.rows[0]?.found) return { versions: new Set(), latest: 0n };
  const { rows } = await client.query<{ version: string; dirty: boolean }>(
    "SELECT version::text AS version, dirty FROM public.schema_migrations",
  );
  const versions = new Set(rows.filter((row) => !row.dirty).map((row) => BigInt(row.version)));
  const latest = rows.reduce((highest, row) => {
    const version = BigInt(row.version) - (row.dirty ? 1n : 0n);
    return version > highest ? version : highest;
  }, 0n);
  return { versions, latest };
}

function isApplied({ nonSequential }: MigrationSet, { versions, latest }: Applied, { number }: Migration): boolean {
  return nonSequential ? versions.has(number) : number <= latest;
}

function refuseNewer({ dir, migrations }: MigrationSet, { latest }: Applied): void {
  const highest = migrations.at(-1)?.number ?? 0n;
  if (latest <= highest) return;
  throw new InfraError(
    `the database is at migration ${latest}, but ${dir} ends at ${highest}: a newer version of the app has migrated it\n` +
      "  Start that version (or a newer one), or restore a backup made before it; going back by itself would lose data.",
  );
}

const createTable =
  "CREATE TABLE IF NOT EXISTS public.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)";

/** Line of the migration that an error's character position points at. */
function lineOf(sql: string, position: string | undefined): string {
  return position === undefined ? "" : `:${sql.slice(0, Number(position)).split("\n").length}`;
}

function migrationError(set: MigrationSet, { file }: Migration, sql: string, error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const details = [error.detail, error.hint, error.where].filter(Boolean).map((text) => `\n  ${text}`);
  return new InfraError(
    `${set.dir}/${file}${lineOf(sql, error.position)}: ${error.message} (${error.code})${details.join("")}\n  Nothing of this migration was applied.`,
  );
}

/** Applies one migration unless another runner has meanwhile. */
async function applyOne(client: pg.Client, set: MigrationSet, migration: Migration): Promise<boolean> {
  await client.query("BEGIN");
  try {
    await client.query("SELECT pg_advisory_xact_lock($1)", [lockKey]);
    const applied = await readApplied(client);
    if (isApplied(set, applied, migration)) {
      await client.query("COMMIT");
      return false;
    }
    await client.query(createTable);
    const sql = migration.sql();
    await client.query(sql).catch((error: unknown) => {
      throw migrationError(set, migration, sql, error);
    });
    if (!set.nonSequential) await client.query("DELETE FROM public.schema_migrations");
    await client.query(
      "INSERT INTO public.schema_migrations (version, dirty) VALUES ($1, false) ON CONFLICT (version) DO UPDATE SET dirty = false",
      [migration.number.toString()],
    );
    await client.query("COMMIT");
    return true;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/**
 * Applies what is missing of a folder's migrations.
 * @param url connection string of the database
 * @param dir absolute folder of migrations
 * @param options.log one line per applied migration
 * @returns the files applied, in order
 * @throws InfraError when a migration fails (with file and line) or the database is newer than the folder
 */
export async function migrate(
  url: string,
  dir: string,
  options: { log(line: string): void },
): Promise<{ applied: string[] }> {
  const set = readMigrations(dir);
  return withClient(url, async (client) => {
    const state = await readApplied(client);
    refuseNewer(set, state);
    const applied: string[] = [];
    for (const migration of set.migrations) {
      if (isApplied(set, state, migration)) continue;
      const started = performance.now();
      if (!(await applyOne(client, set, migration))) continue;
      applied.push(migration.file);
      options.log(`applied ${migration.file} (${Math.round(performance.now() - started)} ms)`);
    }
    return { applied };
  });
}

/** What of a folder's migrations a database has. */
export async function migrationStatus(url: string, dir: string): Promise<MigrationRow[]> {
  const set = readMigrations(dir);
  return withClient(url, async (client) => {
    const state = await readApplied(client);
    return set.migrations.map((migration) => ({
      number: migration.number,
      file: migration.file,
      applied: isApplied(set, state, migration),
    }));
  });
}
