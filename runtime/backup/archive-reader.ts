// Reads a backup file, entry by entry.
import { createReadStream, existsSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { InfraError } from "../infra";
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

export const damaged = (path: string, what: string): InfraError =>
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

/** @throws InfraError where an entry is larger than what is read at once may be */
export async function bytesOf({ name, body, size }: ArchiveEntry, sizeMax: number): Promise<Buffer> {
  if (size > sizeMax)
    throw new InfraError(`${name} of the backup has ${size} bytes: more than ${sizeMax} it never has`);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks, size);
}
