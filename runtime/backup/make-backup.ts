// Everything of an installation into one file: its databases, each in one snapshot, then the objects of its buckets.
import { statSync } from "node:fs";
import { type BackupHeader, entryNames, type Digest, FORMAT_VERSION } from "./archive-format";
import { ArchiveWriter } from "./archive-writer";
import { dumpBucket, type Stores } from "./bucket-objects";
import { DatabaseSession, readOnlySnapshot } from "./database-session";
import { type DatabaseSource, describeDatabase, dumpDatabase } from "./dump-database";

export interface BackupInput {
  /** Of the app, from its encore.app. */
  app: string;
  databases: readonly DatabaseSource[];
  stores: Stores;
  file: string;
  now: Date;
  /** What is under way: a table or a bucket, and how many more of it. */
  progress(count: number, what: string): void;
}

export interface BackupSummary {
  /** Rows of each database, objects of each bucket. */
  rows: Record<string, number>;
  objects: Record<string, number>;
  bytes: number;
}

type Digests = Map<string, Digest>;

const total = (digests: Digests): number => [...digests.values()].reduce((sum, { count }) => sum + count, 0);

const written = <Key extends string>(
  digests: Digests,
  key: Key,
): Record<string, { sha256: string } & Record<Key, number>> =>
  Object.fromEntries(
    [...digests].map(([name, { count, sha256 }]) => [
      name,
      { [key]: count, sha256 } as { sha256: string } & Record<Key, number>,
    ]),
  );

/** Sessions in the snapshots of all databases: the header is the first entry, so all are asked before any is read. */
async function inSnapshots<T>(
  sources: readonly DatabaseSource[],
  work: (sessions: Map<string, DatabaseSession>) => Promise<T>,
  open = new Map<string, DatabaseSession>(),
): Promise<T> {
  const [source, ...rest] = sources;
  if (!source) return work(open);
  const session = await DatabaseSession.open(source.url, source.name);
  try {
    return await session.transaction(readOnlySnapshot, () => inSnapshots(rest, work, open.set(source.name, session)));
  } finally {
    await session.close();
  }
}

/** @throws InfraError with a remedy; then there is no file */
export async function makeBackup(input: BackupInput): Promise<BackupSummary> {
  const archive = new ArchiveWriter(input.file);
  try {
    const tables = await inSnapshots(input.databases, (sessions) => dumpDatabases(input, sessions, archive));
    const objects: Digests = new Map();
    for (const [bucket, store] of input.stores)
      objects.set(bucket, await dumpBucket(bucket, store, archive, (count) => input.progress(count, bucket)));
    const checksums = {
      databases: Object.fromEntries([...tables].map(([name, digests]) => [name, written(digests, "rows")])),
      objects: written(objects, "objects"),
      file: archive.checksum(),
    };
    await archive.add(entryNames.checksums, Buffer.from(JSON.stringify(checksums, null, 2)));
    await archive.finish();
    return {
      rows: Object.fromEntries([...tables].map(([name, digests]) => [name, total(digests)])),
      objects: Object.fromEntries([...objects].map(([name, { count }]) => [name, count])),
      bytes: statSync(input.file).size,
    };
  } catch (error) {
    await archive.abandon();
    throw error;
  }
}

async function dumpDatabases(
  { app, databases, stores, now, progress }: BackupInput,
  sessions: Map<string, DatabaseSession>,
  archive: ArchiveWriter,
): Promise<Map<string, Digests>> {
  const header: BackupHeader = {
    format: "groundwork-backup",
    formatVersion: FORMAT_VERSION,
    createdAt: now.toISOString(),
    app,
    databases: {},
    buckets: [...stores.keys()],
  };
  for (const source of databases) {
    const session = sessions.get(source.name);
    if (session) header.databases[source.name] = await describeDatabase(session, source);
  }
  await archive.add(entryNames.header, Buffer.from(JSON.stringify(header, null, 2)));
  const found = new Map<string, Digests>();
  for (const [name, session] of sessions) {
    const described = header.databases[name];
    if (described) found.set(name, await dumpDatabase(session, name, described, archive, progress));
  }
  return found;
}
