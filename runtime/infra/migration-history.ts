// What a database says of its migrations, held against a folder's files. Two tables: `schema_migrations`, which the
// official runtime keeps as well (contract D-41) and which knows numbers only, and beside it one of the host's own
// with the checksum of each applied file. A file that was added below the highest applied number would never run, and
// a file edited after it ran would make other databases than this one: both are found here, and refused by the runner.
import { createHash } from "node:crypto";
import type pg from "pg";
import type { Migration, MigrationSet } from "./migration-files";

/** One applied migration as the host recorded it. */
interface Recorded {
  file: string;
  checksum: string;
}

/** Below every number: drizzle begins with 0. */
const NONE_APPLIED = -1n;

export interface History {
  /** Applied numbers as `schema_migrations` has them: the latest one only, but in folders of prisma's kind. */
  versions: Set<bigint>;
  latest: bigint;
  /** By number. Empty in a database that only the official runtime has migrated. */
  recorded: Map<bigint, Recorded>;
}

/** `late`: never ran and never would. `edited`, `removed`: not what ran here. `newer`: in the database, not in the folder. */
export type MigrationState = "applied" | "pending" | "late" | "edited" | "removed" | "newer";

export interface MigrationRow {
  number: bigint;
  file: string;
  state: MigrationState;
}

export interface Comparison {
  /** Every file of the folder and every recorded one, by number. */
  rows: MigrationRow[];
  /** Applied by the official runtime: their files get a checksum from now on. */
  adoptable: Migration[];
}

const createTables = `
  CREATE TABLE IF NOT EXISTS public.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
  CREATE TABLE IF NOT EXISTS public.schema_migration_checksums (
    version bigint NOT NULL PRIMARY KEY, file text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now());`;

/** Of the text with Unix line ends: git may change them from one checkout to the next. */
export function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.sql().replaceAll("\r\n", "\n")).digest("hex");
}

async function existingTables(client: pg.Client): Promise<Set<string>> {
  // Not to_regclass: it may answer from a cache that has not yet heard of a table another runner has just made.
  const { rows } = await client.query<{ tablename: string }>(
    "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename LIKE 'schema_migration%'",
  );
  return new Set(rows.map((row) => row.tablename));
}

/** Rows left dirty by golang-migrate are a failed attempt: that version counts as not applied (D-42). */
export async function readHistory(client: pg.Client): Promise<History> {
  const tables = await existingTables(client);
  const history: History = { versions: new Set(), latest: NONE_APPLIED, recorded: new Map() };
  if (tables.has("schema_migration_checksums")) {
    const { rows } = await client.query<Recorded & { version: string }>(
      "SELECT version::text AS version, file, checksum FROM public.schema_migration_checksums",
    );
    for (const { version, file, checksum } of rows) history.recorded.set(BigInt(version), { file, checksum });
  }
  if (!tables.has("schema_migrations")) return history;
  const { rows } = await client.query<{ version: string; dirty: boolean }>(
    "SELECT version::text AS version, dirty FROM public.schema_migrations",
  );
  for (const { version, dirty } of rows) {
    if (!dirty) history.versions.add(BigInt(version));
    const reached = BigInt(version) - (dirty ? 1n : 0n);
    if (reached > history.latest) history.latest = reached;
  }
  return history;
}

export function isApplied({ nonSequential }: MigrationSet, { versions, latest }: History, number: bigint): boolean {
  return nonSequential ? versions.has(number) : number <= latest;
}

/** Highest number with a checksum that still counts: what lies above it came from another tool. */
function highestRecorded(set: MigrationSet, history: History): bigint {
  let highest = NONE_APPLIED;
  for (const number of history.recorded.keys())
    if (number > highest && isApplied(set, history, number)) highest = number;
  return highest;
}

/** Holds the folder against the database; reads the files, writes nothing. */
export function compare(set: MigrationSet, history: History): Comparison {
  const highestFile = set.migrations.at(-1)?.number ?? 0n;
  const recordedUpTo = highestRecorded(set, history);
  const adoptable: Migration[] = [];
  const stateOf = (migration: Migration): MigrationState => {
    if (!isApplied(set, history, migration.number)) return "pending";
    const recorded = history.recorded.get(migration.number);
    if (recorded) return recorded.checksum === checksumOf(migration) ? "applied" : "edited";
    if (!set.nonSequential && migration.number <= recordedUpTo) return "late";
    adoptable.push(migration);
    return "applied";
  };
  const rows: MigrationRow[] = set.migrations.map((migration) => ({
    number: migration.number,
    file: migration.file,
    state: stateOf(migration),
  }));
  const known = new Set(set.migrations.map(({ number }) => number));
  for (const [number, { file }] of history.recorded) {
    if (known.has(number) || !isApplied(set, history, number)) continue;
    // A newer version may have added a folder of prisma's kind anywhere, files only at the end.
    rows.push({ number, file, state: set.nonSequential || number > highestFile ? "newer" : "removed" });
  }
  rows.sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0));
  return { rows, adoptable };
}

/** Writes that a migration is applied; in the transaction that applies it. */
export async function recordApplied(client: pg.Client, set: MigrationSet, migration: Migration): Promise<void> {
  if (!set.nonSequential) await client.query("DELETE FROM public.schema_migrations");
  await client.query(
    "INSERT INTO public.schema_migrations (version, dirty) VALUES ($1, false) ON CONFLICT (version) DO UPDATE SET dirty = false",
    [migration.number.toString()],
  );
  await recordChecksum(client, migration);
}

export async function recordChecksum(client: pg.Client, migration: Migration): Promise<void> {
  await client.query(
    `INSERT INTO public.schema_migration_checksums (version, file, checksum) VALUES ($1, $2, $3)
     ON CONFLICT (version) DO UPDATE SET file = excluded.file, checksum = excluded.checksum, applied_at = now()`,
    [migration.number.toString(), migration.file, checksumOf(migration)],
  );
}

export async function forgetChecksum(client: pg.Client, number: bigint): Promise<void> {
  await client.query("DELETE FROM public.schema_migration_checksums WHERE version = $1", [number.toString()]);
}

export async function createHistoryTables(client: pg.Client): Promise<void> {
  await client.query(createTables);
}
