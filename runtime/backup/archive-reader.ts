// Reads a backup file. It is read twice: once to see that all of it is there and unchanged, before anything is written to a
// database, and once to restore it.
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { InfraError } from "../infra";
import {
  backupChecksums,
  backupHeader,
  entryNames,
  FORMAT_VERSION,
  parseEntry,
  type BackupChecksums,
  type BackupHeader,
} from "./archive-format";

/** As tar-stream hands it out. */
interface TarEntry extends AsyncIterable<unknown> {
  header: { name: string; size?: number | undefined };
}

export interface ArchiveEntry {
  name: string;
  size: number;
  /** To be read to its end, once. */
  body: AsyncIterable<Buffer>;
}

const damaged = (path: string, what: string): InfraError =>
  new InfraError(
    `${path} ${what}: nothing was restored\n  Take another copy of it, or an older backup. A backup is only as good as its last restore.`,
  );

/** @throws InfraError where the file is not there, or its compression or its frames do not add up */
export async function readEntries(path: string, take: (entry: ArchiveEntry) => Promise<void>): Promise<void> {
  if (!existsSync(path)) throw new InfraError(`${path} does not exist: name the file that \`groundwork backup\` wrote`);
  const entries = extract();
  let broken: Error | undefined;
  let own: { error: unknown } | undefined;
  const read = pipeline(createReadStream(path), createGunzip(), entries).catch((error: Error) => {
    broken ??= error;
  });
  const taking = async (entry: TarEntry): Promise<void> => {
    try {
      await take({ name: entry.header.name, size: entry.header.size ?? 0, body: entry as AsyncIterable<Buffer> });
    } catch (error) {
      // An entry of a broken file fails in the hands of whoever takes it: the pipeline says so in the same turn.
      await nextTurn();
      if (!broken) own = { error };
      throw error;
    }
  };
  try {
    for await (const entry of entries) await taking(entry);
  } catch (error) {
    broken ??= error as Error;
  }
  await read;
  if (own) throw own.error;
  if (broken) throw damaged(path, `is cut short or damaged (${broken.message})`);
}

export async function bytesOf({ body, size }: ArchiveEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks, size);
}

export interface CheckedArchive {
  header: BackupHeader;
  checksums: BackupChecksums;
}

/**
 * Reads all of a file and changes nothing.
 * @throws InfraError naming what is wrong with it: cut short, changed, of a newer version
 */
export async function checkArchive(path: string): Promise<CheckedArchive> {
  const hash = createHash("sha256");
  let header: BackupHeader | undefined;
  let checksums: BackupChecksums | undefined;
  await readEntries(path, async (entry) => {
    if (checksums) throw damaged(path, "goes on behind its end");
    if (entry.name === entryNames.checksums) {
      checksums = parseEntry(backupChecksums, entry.name, await bytesOf(entry));
      return;
    }
    const own = createHash("sha256");
    const kept: Buffer[] = [];
    for await (const chunk of entry.body) {
      own.update(chunk);
      if (!header) kept.push(chunk);
    }
    hash.update(`${entry.name}\0${entry.size}\0${own.digest("hex")}\n`);
    header ??= readHeader(path, entry.name, Buffer.concat(kept));
  });
  if (!header || !checksums) throw damaged(path, "is cut short");
  if (hash.digest("hex") !== checksums.file) throw damaged(path, "is damaged: its checksum is not that of its content");
  return { header, checksums };
}

function readHeader(path: string, name: string, bytes: Buffer): BackupHeader {
  if (name !== entryNames.header) throw new InfraError(`${path} is no backup of groundwork: it begins with ${name}`);
  const header = parseEntry(backupHeader, name, bytes);
  if (header.formatVersion > FORMAT_VERSION)
    throw new InfraError(
      `${path} is of format ${header.formatVersion}, which this version does not read (up to ${FORMAT_VERSION})\n  Restore it with the version that wrote it, or a newer one.`,
    );
  return header;
}
