// A backup file is read twice: once to see that all of it is there, unchanged and what a backup is, before anything is
// written to a database, and once to restore it. It may be anybody's: what it says of itself is looked at before it is held.
import { createHash, type Hash } from "node:crypto";
import { InfraError } from "../infra";
import {
  backupChecksums,
  backupHeader,
  entryNames,
  FORMAT_VERSION,
  objectHead,
  parseEntry,
  placeOf,
  tableName,
  type BackupChecksums,
  type BackupHeader,
} from "./archive-format";
import { type ArchiveEntry, bytesOf, damaged, readEntries } from "./archive-reader";
import { OBJECT_HEAD_BYTES_MAX } from "./bucket-objects";
import { storedColumns } from "./catalogue";
import { eachRows } from "./row-lines";

/** Ten thousand tables with twenty columns have less. */
const HEADER_BYTES_MAX = 16 * 1024 * 1024;

export interface CheckedArchive {
  header: BackupHeader;
  checksums: BackupChecksums;
}

async function* hashing(body: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
}

async function readHeader(path: string, entry: ArchiveEntry): Promise<BackupHeader> {
  const { name } = entry;
  if (name !== entryNames.header) throw new InfraError(`${path} is no backup of groundwork: it begins with ${name}`);
  const header = parseEntry(backupHeader, name, await bytesOf(entry, HEADER_BYTES_MAX));
  if (header.formatVersion > FORMAT_VERSION)
    throw new InfraError(
      `${path} is of format ${header.formatVersion}, which this version does not read (up to ${FORMAT_VERSION})\n  Restore it with the version that wrote it, or a newer one.`,
    );
  return header;
}

/** @returns how many texts a row of each table has, by database and table */
const widthsOf = ({ databases }: BackupHeader): Map<string, number> =>
  new Map(
    Object.entries(databases).flatMap(([name, { tables }]) =>
      tables.map((table) => [JSON.stringify([name, tableName(table)]), storedColumns(table).length] as const),
    ),
  );

/** Looks at each entry behind the header, and reads it to its end. */
class ContentCheck {
  readonly #widths: ReadonlyMap<string, number>;
  #size: number | undefined;

  constructor(private readonly header: BackupHeader) {
    this.#widths = widthsOf(header);
  }

  async take(entry: ArchiveEntry): Promise<void> {
    const { kind, owner, rest } = placeOf(entry.name);
    const width = kind === "databases" ? this.#widths.get(JSON.stringify([owner, rest])) : undefined;
    if (width !== undefined) return this.#takeRows(entry, width);
    if (kind === "objects" && this.header.buckets.includes(owner)) return this.#takeObject(entry);
    throw new InfraError(`${entry.name} of the backup is of nothing that the backup says it has`);
  }

  async #takeRows(entry: ArchiveEntry, width: number): Promise<void> {
    await eachRows(entry, (rows) => {
      if (rows.some(({ length }) => length !== width))
        throw new InfraError(`${entry.name} of the backup has a row of other columns than its table`);
      return Promise.resolve();
    });
  }

  async #takeObject(entry: ArchiveEntry): Promise<void> {
    if (entry.name.endsWith(".json")) {
      this.#size = parseEntry(objectHead, entry.name, await bytesOf(entry, OBJECT_HEAD_BYTES_MAX)).size;
      return;
    }
    if (this.#size !== entry.size) throw new InfraError(`${entry.name} of the backup stands without its name`);
    this.#size = undefined;
    for await (const _ of entry.body);
  }
}

/**
 * Reads all of a file and changes nothing.
 * @throws InfraError naming what is wrong with it: cut short, changed, of a newer version, no backup
 */
export async function checkArchive(path: string): Promise<CheckedArchive> {
  const hash = createHash("sha256");
  let header: BackupHeader | undefined;
  let content: ContentCheck | undefined;
  let checksums: BackupChecksums | undefined;
  await readEntries(path, async (entry) => {
    if (checksums) throw damaged(path, "goes on behind its end");
    if (header && entry.name === entryNames.checksums) {
      checksums = parseEntry(backupChecksums, entry.name, await bytesOf(entry, HEADER_BYTES_MAX));
      return;
    }
    const own = createHash("sha256");
    const hashed = { ...entry, body: hashing(entry.body, own) };
    header ??= await readHeader(path, hashed);
    if (content) await content.take(hashed);
    else content = new ContentCheck(header);
    hash.update(`${entry.name}\0${entry.size}\0${own.digest("hex")}\n`);
  });
  if (!header || !checksums) throw damaged(path, "is cut short");
  if (hash.digest("hex") !== checksums.file) throw damaged(path, "is damaged: its checksum is not that of its content");
  return { header, checksums };
}
