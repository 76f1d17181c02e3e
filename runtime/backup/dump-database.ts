// One database into an archive: everything in one snapshot, which other transactions neither wait for nor change. Only
// changes of tables wait until it is over.
import { appliedMigrations, quoteQualified, refuseUnfinishedRestore } from "../infra";
import { type DatabaseHeader, entryNames, tableName, type Digest } from "./archive-format";
import type { ArchiveWriter } from "./archive-writer";
import { sequencesOf, tablesOf } from "./catalogue";
import type { DatabaseSession } from "./database-session";
import { eachPage } from "./table-rows";

export interface DatabaseSource {
  name: string;
  url: string;
  /** Absolute, where the app has migrations for it. */
  migrationsDir?: string;
}

const hostOwner = `select pg_catalog.pg_get_userbyid(c.relowner)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname in ('bullmq', 'groundwork') limit 1`;

/** In the snapshot's transaction, before anything is read. */
export async function describeDatabase(session: DatabaseSession, source: DatabaseSource): Promise<DatabaseHeader> {
  await refuseUnfinishedRestore(session.client, source.name);
  const tables = await tablesOf(session);
  if (tables.length > 0)
    await session.query(`lock table ${tables.map(quoteQualified).join(", ")} in access share mode`);
  const [version] = await session.query("select current_setting('server_version')");
  const [owner] = await session.query(hostOwner);
  return {
    version: version?.[0] ?? "",
    migrations: source.migrationsDir === undefined ? [] : await appliedMigrations(session.client, source.migrationsDir),
    hostOwner: owner?.[0] ?? null,
    tables,
    sequences: await sequencesOf(session),
  };
}

/** @returns the checksum of each table */
export async function dumpDatabase(
  session: DatabaseSession,
  name: string,
  { tables }: DatabaseHeader,
  archive: ArchiveWriter,
  progress: (rows: number, table: string) => void,
): Promise<Map<string, Digest>> {
  const digests = new Map<string, Digest>();
  for (const table of tables) {
    let part = 0;
    const label = tableName(table);
    const digest = await eachPage(session, table, async (lines) => {
      await archive.add(entryNames.rows(name, label, ++part), Buffer.from(`${lines.join("\n")}\n`));
      progress(lines.length, label);
    });
    digests.set(label, digest.value());
  }
  return digests;
}
