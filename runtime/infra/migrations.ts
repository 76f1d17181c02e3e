// Applies migrations as Encore does (contract 7.7, D-40 … D-43), with the same bookkeeping table, so that a
// database can move between Encore and this host. Each migration is one transaction together with its rows:
// a crash, a kill or a lost connection leaves it applied or not applied. Every transaction takes the same advisory
// lock and looks again what is applied, so runners that start together apply everything once. A migration waits
// for a table's lock only briefly, because everybody else who wants the table queues up behind it: it gives way and
// is tried again (the practice that GitLab and strong_migrations describe as lock time-out with retries).
import pg from "pg";
import { connect } from "./connect";
import { InfraError } from "./errors";
import { type Migration, type MigrationSet, readMigrations } from "./migration-files";
import {
  type Comparison,
  compare,
  createHistoryTables,
  forgetChecksum,
  type History,
  isApplied,
  type MigrationRow,
  readHistory,
  recordApplied,
  recordChecksum,
} from "./migration-history";
import { newerText, refuseMismatch, type Surroundings } from "./migration-refusals";

export type { MigrationRow, MigrationState } from "./migration-history";

/** The key is arbitrary but fixed: "groundwork migrations" in one number. */
const lockKey = 7_240_918_251;

const lockNotAvailable = "55P03";
const insufficientPrivilege = "42501";

export interface MigrateOptions {
  /** One line for each applied migration and for what a person should know. */
  log(line: string): void;
  /** Data folder of an embedded database of development; remedies may name it. */
  disposable?: string;
  /** How long a statement of a migration waits for a lock. */
  lockTimeoutMs?: number;
  /** Pauses before a migration that found a lock taken is tried again; after the last it fails. */
  lockPausesMs?: readonly number[];
  /** Leaves out the others: a restore goes to the state of its backup first. */
  only?(number: bigint): boolean;
}

const defaultLockTimeoutMs = 5_000;
const defaultLockPausesMs = [500, 1_000, 2_000, 4_000, 8_000, 16_000] as const;

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(url, "groundwork-migrate").catch((error: unknown) => {
    throw new InfraError(`cannot connect to the database: ${error instanceof Error ? error.message : String(error)}`);
  });
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Line of the migration that an error's character position points at. */
function lineOf(sql: string, position: string | undefined): string {
  return position === undefined ? "" : `:${sql.slice(0, Number(position)).split("\n").length}`;
}

/** What is left of a migration that failed: nothing, unless it has sent a COMMIT of its own. */
async function leftOf(client: pg.Client): Promise<string> {
  // A server sends the error before the state of the transaction, which comes for certain with the next answer. On a
  // connection that the error ended no answer comes.
  await client.query(";").catch(() => undefined);
  return client.getTransactionStatus() === "I"
    ? "The file ends its own transaction (commit), so what stands before that was applied and what follows was not: take the commit out, undo that part by hand, and start again."
    : "Nothing of this migration was applied.";
}

async function migrationError(
  client: pg.Client,
  set: MigrationSet,
  { file }: Migration,
  sql: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof pg.DatabaseError) || error.code === lockNotAvailable) return error;
  const details = [error.detail, error.hint, error.where].filter(Boolean).map((text) => `\n  ${text}`);
  return new InfraError(
    `${set.dir}/${file}${lineOf(sql, error.position)}: ${error.message} (${error.code})${details.join("")}\n  ${await leftOf(client)}`,
  );
}

/** One transaction under the migrations' lock. It waits for another runner as long as that takes, and says so. */
async function locked<T>(client: pg.Client, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const { rows } = await client.query<{ got: boolean }>("SELECT pg_try_advisory_xact_lock($1) AS got", [lockKey]);
    if (!rows[0]?.got) {
      log("waiting for another process that migrates this database");
      await client.query("SELECT pg_advisory_xact_lock($1)", [lockKey]);
    }
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Applies one migration unless another runner has meanwhile. */
function applyOnce(
  client: pg.Client,
  set: MigrationSet,
  migration: Migration,
  { log, lockTimeoutMs = defaultLockTimeoutMs }: MigrateOptions,
): Promise<boolean> {
  return locked(client, log, async () => {
    if (isApplied(set, await readHistory(client), migration.number)) return false;
    await createHistoryTables(client);
    const sql = migration.sql();
    await client.query(`SET LOCAL lock_timeout = ${Math.round(lockTimeoutMs)}`);
    await client.query(sql).catch(async (error: unknown) => {
      throw await migrationError(client, set, migration, sql, error);
    });
    await recordApplied(client, set, migration);
    return true;
  });
}

/** Transactions that have been open for a while: one of them holds what the migration waits for. */
async function openTransactions(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT format('pid %s (%s, %s for %s s)', pid, coalesce(nullif(application_name, ''), 'no name'), state,
                   round(extract(epoch FROM clock_timestamp() - xact_start))) AS text
       FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
      ORDER BY xact_start LIMIT 3`,
  );
  return rows.length === 0 ? "" : `; transactions open: ${rows.map(({ text }) => text).join(", ")}`;
}

async function applyOne(
  client: pg.Client,
  set: MigrationSet,
  migration: Migration,
  options: MigrateOptions,
): Promise<boolean> {
  const { log, lockTimeoutMs = defaultLockTimeoutMs, lockPausesMs = defaultLockPausesMs } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await applyOnce(client, set, migration, options);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== lockNotAvailable) throw error;
      const pauseMs = lockPausesMs[attempt];
      const holders = await openTransactions(client);
      if (pauseMs === undefined)
        throw new InfraError(
          `${set.dir}/${migration.file}: a lock was not to be had within ${lockTimeoutMs} ms, ${attempt + 1} times${holders}\n` +
            "  Nothing of this migration was applied. End the transaction that holds it, or start again when it is quiet.",
        );
      log(`${migration.file} waits for a lock, tried again in ${pauseMs} ms${holders}`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Gives files that the official runtime applied their checksum; a login that may not write leaves it to one that may. */
async function adopt(client: pg.Client, set: MigrationSet, options: MigrateOptions): Promise<void> {
  try {
    const adopted = await locked(client, options.log, async () => {
      const { adoptable } = compare(set, await readHistory(client));
      await createHistoryTables(client);
      for (const migration of adoptable) await recordChecksum(client, migration);
      return adoptable;
    });
    if (adopted.length)
      options.log(
        `${adopted.length} applied without a checksum (${adopted[0]?.file} … ${adopted.at(-1)?.file}): the files as they are now count as applied`,
      );
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== insufficientPrivilege) throw error;
    options.log(
      "this login may not record checksums of migrations: `groundwork migrate up` with the owner's login does",
    );
  }
}

function check(set: MigrationSet, history: History, options: MigrateOptions): Comparison {
  const where: Surroundings = { dir: set.dir, ...(options.disposable ? { disposable: options.disposable } : {}) };
  const comparison = compare(set, history);
  refuseMismatch(comparison, where);
  const newer = newerText(history.latest, set.migrations.at(-1)?.number ?? -1n, comparison.rows, where);
  if (newer !== undefined) options.log(newer);
  return comparison;
}

/**
 * Applies what is missing of a folder's migrations.
 * @param url connection string of the database
 * @param dir absolute folder of migrations
 * @returns the files applied, in order
 * @throws InfraError when a migration fails (with file and line), a file was added below what is applied, an applied
 *   one was edited or removed, or, in development on the embedded database, the database is newer than the folder
 */
export async function migrate(url: string, dir: string, options: MigrateOptions): Promise<{ applied: string[] }> {
  const set = readMigrations(dir);
  return withClient(url, async (client) => {
    const history = await readHistory(client);
    if (check(set, history, options).adoptable.length) await adopt(client, set, options);
    const applied: string[] = [];
    const { only = () => true } = options;
    const pending = set.migrations.filter(({ number }) => !isApplied(set, history, number) && only(number));
    for (const migration of pending) {
      const started = performance.now();
      if (!(await applyOne(client, set, migration, options))) continue;
      applied.push(migration.file);
      options.log(`applied ${migration.file} (${Math.round(performance.now() - started)} ms)`);
    }
    // Another runner may have applied a file of the same number and another content meanwhile.
    if (applied.length < pending.length) check(set, await readHistory(client), options);
    return { applied };
  });
}

/** What of a folder's migrations a database has, and how they differ. */
export async function migrationStatus(url: string, dir: string): Promise<MigrationRow[]> {
  const set = readMigrations(dir);
  return withClient(url, async (client) => compare(set, await readHistory(client)).rows);
}

export interface AppliedMigration {
  number: string;
  file: string;
  /** Null where only the official runtime has applied it. */
  checksum: string | null;
}

/** What a database says was applied, in whatever transaction `client` is in. */
export async function appliedMigrations(client: pg.Client, dir: string): Promise<AppliedMigration[]> {
  const set = readMigrations(dir);
  const history = await readHistory(client);
  const known = new Map(set.migrations.map(({ number, file }) => [number, { file, checksum: null as string | null }]));
  for (const [number, recorded] of history.recorded) known.set(number, recorded);
  return [...known]
    .filter(([number]) => isApplied(set, history, number))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([number, { file, checksum }]) => ({ number: number.toString(), file, checksum }));
}

const isRepairable = (row: MigrationRow | undefined): row is MigrationRow =>
  row?.state === "edited" || row?.state === "removed";

const notRepairable = (file: string): InfraError =>
  new InfraError(
    `${file} was neither edited nor removed after it was applied: \`groundwork migrate status\` shows the files`,
  );

export interface MigrationFolder {
  /** Connection string of the database. */
  url: string;
  /** Absolute. */
  dir: string;
}

/**
 * Takes edited or removed files as what was applied, in each database that has one of them; nothing is repaired before all are known.
 * @param files as `migrationStatus` names them
 * @throws InfraError naming a file that is neither in any database
 */
export async function repairMigrations(
  folders: readonly MigrationFolder[],
  files: readonly string[],
  options: MigrateOptions,
): Promise<void> {
  const repairs: { folder: MigrationFolder; own: string[] }[] = [];
  for (const folder of folders) {
    const rows = await migrationStatus(folder.url, folder.dir);
    const own = files.filter((file) => isRepairable(rows.find((row) => row.file === file)));
    if (own.length > 0) repairs.push({ folder, own });
  }
  const unknown = files.find((file) => !repairs.some(({ own }) => own.includes(file)));
  if (unknown !== undefined) throw notRepairable(unknown);
  for (const { folder, own } of repairs) await repairFolder(folder, own, options);
}

function repairFolder({ url, dir }: MigrationFolder, files: readonly string[], options: MigrateOptions): Promise<void> {
  const set = readMigrations(dir);
  return withClient(url, (client) =>
    locked(client, options.log, async () => {
      const { rows } = compare(set, await readHistory(client));
      for (const file of files) {
        const row = rows.find((candidate) => candidate.file === file);
        if (!isRepairable(row)) throw notRepairable(file);
        const migration = set.migrations.find(({ number }) => number === row.number);
        if (migration) await recordChecksum(client, migration);
        else await forgetChecksum(client, row.number);
        options.log(`${file} counts as applied ${migration ? "as it is now" : "no more"}`);
      }
    }),
  );
}
