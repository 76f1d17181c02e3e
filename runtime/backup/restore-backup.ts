// A backup back into an installation. In this order, so that what cannot go well changes nothing:
//   the file is read to its end and its checksums compared; the app's migrations are held against the backup's; the
//   databases and buckets are empty, or may be emptied, and nobody else is connected; the databases are marked, so that no
//   app starts on half of it; the tables are made as the backup had them; all rows go in and are read back, a transaction
//   for each database; the objects go in and are read back; newer migrations are applied; the marks are taken off.
import { beginRestore, endRestore, InfraError, migrate, type MigrateOptions } from "../infra";
import { type BackupHeader, type DatabaseHeader, placeOf, tableName, type TableShape } from "./archive-format";
import { checkArchive, type CheckedArchive } from "./archive-check";
import { readEntries } from "./archive-reader";
import { clearBucket, isEmptyBucket, ObjectLoader, type Stores } from "./bucket-objects";
import { clearDatabase, isEmpty } from "./clear-database";
import { DatabaseSession } from "./database-session";
import type { DatabaseSource } from "./dump-database";
import { makeHostTables } from "./host-tables";
import { beginLoading, checkTables, finishLoading, loadRows } from "./load-database";
import { refuseOtherSessions } from "./other-sessions";
import { checkMigrations } from "./restore-migrations";
import { eachRows } from "./row-lines";

export interface DatabaseTarget extends DatabaseSource {
  /** Of the app's own login, whose the host's tables are to be; the same as `url` where there is one login. */
  appUrl: string;
  isEmbedded: boolean;
}

export interface RestoreInput {
  databases: readonly DatabaseTarget[];
  stores: Stores;
  file: string;
  /** What is there may be deleted. */
  overwrite: boolean;
  migrateOptions: MigrateOptions;
  progress(count: number, what: string): void;
  log(line: string): void;
}

const NOTHING_CHANGED = "Nothing was changed.";
const NOTHING_LOADED = "Then restore with --overwrite: nothing was loaded into it.";

function checkNames({ databases, buckets }: BackupHeader, input: RestoreInput): void {
  const lacking = [
    ...Object.keys(databases).filter((name) => !input.databases.some((target) => target.name === name)),
    ...buckets.filter((name) => !input.stores.has(name)),
  ];
  if (lacking.length > 0)
    throw new InfraError(
      `the backup has ${lacking.join(", ")}, which this app does not have\n  Is it the backup of another app? ${NOTHING_CHANGED}`,
    );
}

async function withSession<T>(
  { url, name }: DatabaseSource,
  work: (session: DatabaseSession) => Promise<T>,
): Promise<T> {
  const session = await DatabaseSession.open(url, name);
  return work(session).finally(() => session.close());
}

/** @throws InfraError naming what is not empty */
async function checkEmpty({ databases, stores }: RestoreInput): Promise<void> {
  const full: string[] = [];
  for (const target of databases) if (!(await withSession(target, isEmpty))) full.push(`the database ${target.name}`);
  for (const [name, store] of stores) if (!(await isEmptyBucket(store))) full.push(`the bucket ${name}`);
  if (full.length > 0)
    throw new InfraError(
      `${full.join(" and ")} ${full.length === 1 ? "is" : "are"} not empty: a restore would delete what is there\n  Restore into an empty database (DATABASE_URL, or GROUNDWORK_STATE_DIR=…), or say --overwrite to lose what is there. ${NOTHING_CHANGED}`,
    );
}

async function checkAllAlone({ databases }: RestoreInput): Promise<void> {
  for (const target of databases)
    await withSession(target, (session) => refuseOtherSessions(session, target, NOTHING_CHANGED));
}

async function clearAll({ databases, stores }: RestoreInput): Promise<void> {
  for (const target of databases) await withSession(target, clearDatabase);
  for (const store of stores.values()) await clearBucket(store);
}

/** Every database is marked before a bucket or the next database changes. */
async function prepare(input: RestoreInput): Promise<void> {
  if (!input.overwrite) await checkEmpty(input);
  await checkAllAlone(input);
  for (const target of input.databases) await withSession(target, ({ client }) => beginRestore(client));
  if (input.overwrite) await clearAll(input);
}

async function makeTables(
  target: DatabaseTarget,
  header: DatabaseHeader,
  wanted: ReadonlySet<bigint>,
  input: RestoreInput,
): Promise<void> {
  if (target.migrationsDir !== undefined) {
    const options = { ...input.migrateOptions, log: () => undefined, only: (number: bigint) => wanted.has(number) };
    const { applied } = await migrate(target.url, target.migrationsDir, options);
    input.log(`${target.name}: ${applied.length} migrations applied, as the backup had them`);
  }
  await makeHostTables(header, { url: target.appUrl, isEmbedded: target.isEmbedded, log: input.log });
  await withSession(target, (session) =>
    session.transaction("begin read only", () => checkTables(session, target.name, header)),
  );
}

async function loadDatabase(
  target: DatabaseTarget,
  { header, checksums }: CheckedArchive,
  input: RestoreInput,
): Promise<void> {
  const described = header.databases[target.name];
  if (!described) return;
  const tables = new Map<string, TableShape>(described.tables.map((table) => [tableName(table), table]));
  await withSession(target, (session) =>
    session.transaction("begin", async () => {
      const checkAlone = (): Promise<void> => refuseOtherSessions(session, target, NOTHING_LOADED);
      await checkAlone();
      await beginLoading(session);
      await readEntries(input.file, async (entry) => {
        const { kind, owner, rest: table } = placeOf(entry.name);
        const shape = kind === "databases" && owner === target.name ? tables.get(table) : undefined;
        if (!shape) return skip(entry.body);
        await eachRows(entry, async (rows) => {
          await loadRows(session, shape, rows);
          input.progress(rows.length, table);
        });
      });
      input.log(`reading ${target.name} back`);
      await finishLoading(session, target.name, described, checksums.databases[target.name] ?? {});
      await checkAlone(); // whoever came meanwhile waits for a table, and would write as soon as it is free
    }),
  );
  await withSession(target, (session) => session.query("analyze"));
}

async function loadObjects(
  { header, checksums }: CheckedArchive,
  input: RestoreInput,
): Promise<Record<string, number>> {
  const loader = new ObjectLoader(input.stores, (count) => input.progress(count, "objects"));
  await readEntries(input.file, async (entry) => {
    const { kind, owner } = placeOf(entry.name);
    if (kind === "objects") await loader.take(owner, entry);
    else await skip(entry.body);
  });
  const counts: Record<string, number> = {};
  for (const bucket of header.buckets) {
    const { count, sha256 } = loader.digestOf(bucket);
    const wanted = checksums.objects[bucket];
    if (wanted?.objects !== count || wanted.sha256 !== sha256)
      throw new InfraError(
        `the bucket ${bucket} gives back other objects than it was given (${count} of ${wanted?.objects ?? 0})\n  Look at its server or disk, and restore again with --overwrite.`,
      );
    counts[bucket] = count;
  }
  return counts;
}

async function skip(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body);
}

export interface RestoreSummary {
  createdAt: string;
  rows: Record<string, number>;
  objects: Record<string, number>;
  /** Files of migrations that are newer than the backup. */
  migrated: string[];
}

/** @throws InfraError with a remedy. Up to the check of emptiness nothing has changed then; later, say `--overwrite` to try again. */
export async function restoreBackup(input: RestoreInput): Promise<RestoreSummary> {
  input.log("checking the file");
  const archive = await checkArchive(input.file);
  const { header, checksums } = archive;
  checkNames(header, input);
  const targets = input.databases.filter(({ name }) => header.databases[name]);
  const wanted = new Map(
    targets.map((target) => [
      target.name,
      checkMigrations(target.name, header.databases[target.name] as DatabaseHeader, target.migrationsDir),
    ]),
  );
  await prepare({ ...input, databases: targets });
  for (const target of targets)
    await makeTables(
      target,
      header.databases[target.name] as DatabaseHeader,
      wanted.get(target.name) ?? new Set(),
      input,
    );
  for (const target of targets) await loadDatabase(target, archive, input);
  const objects = await loadObjects(archive, input);
  const migrated: string[] = [];
  for (const target of targets)
    if (target.migrationsDir !== undefined)
      migrated.push(...(await migrate(target.url, target.migrationsDir, input.migrateOptions)).applied);
  for (const target of targets) await withSession(target, ({ client }) => endRestore(client));
  const rows = Object.fromEntries(
    Object.entries(checksums.databases).map(([name, tables]) => [
      name,
      Object.values(tables).reduce((sum, table) => sum + table.rows, 0),
    ]),
  );
  return { createdAt: header.createdAt, rows, objects, migrated };
}
