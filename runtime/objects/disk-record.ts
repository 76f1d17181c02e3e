// What stands on disk for one object: a folder named by the hash of the object's name, so that no name can
// reach outside or collide, with a record and one file per version. A rename of the record is the commit.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoredObject } from "./store";

/** On disk every object has a version, whether or not older ones are kept. */
export interface DiskObject extends StoredObject {
  version: string;
}

export interface ObjectRecord {
  name: string;
  /** Null when the object was removed and older versions are kept. */
  current: string | null;
  versions: DiskObject[];
}

const RECORD = "record.json";
const LOCK = "lock";
const LOCK_WAIT_MS = 10;
const LOCK_STALE_MS = 10_000;

export const isMissing = (error: unknown): boolean => (error as { code?: string }).code === "ENOENT";

/** `<bucket folder>/<two digits>/<sha-256 of the name>`. */
export function objectFolder(bucketFolder: string, name: string): string {
  const hash = createHash("sha256").update(name).digest("hex");
  return join(bucketFolder, hash.slice(0, 2), hash);
}

export const versionFile = (folder: string, version: string): string => join(folder, `v${version}`);

export async function readRecord(folder: string): Promise<ObjectRecord | null> {
  try {
    return JSON.parse(await readFile(join(folder, RECORD), "utf8")) as ObjectRecord;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** An object without versions has no folder. */
export async function writeRecord(folder: string, record: ObjectRecord): Promise<void> {
  if (record.versions.length === 0) return rm(folder, { recursive: true, force: true });
  const draft = join(folder, `${RECORD}.${process.pid}`);
  await writeFile(draft, JSON.stringify(record), { flush: true }); // on the disk before its name is
  await rename(draft, join(folder, RECORD));
}

async function isStale(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > LOCK_STALE_MS;
}

async function takeLock(folder: string, holder: string): Promise<void> {
  const file = join(folder, LOCK);
  for (;;) {
    await mkdir(folder, { recursive: true });
    try {
      return await writeFile(file, holder, { flag: "wx" });
    } catch (error) {
      // Held by somebody, or the folder went away with its object just now.
      const code = (error as { code?: string }).code;
      if (code !== "EEXIST" && code !== "ENOENT") throw error;
      if (await isStale(file)) await rm(file, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, LOCK_WAIT_MS));
    }
  }
}

/** When the object's folder went away with the object, a lock found there now is somebody else's. */
async function releaseLock(folder: string, holder: string): Promise<void> {
  const file = join(folder, LOCK);
  const found = await readFile(file, "utf8").catch(() => "");
  if (found === holder) await rm(file, { force: true });
}

/** Runs `change` while nobody else, in this process or another, changes the same object. */
export async function lockedObject<T>(folder: string, change: () => Promise<T>): Promise<T> {
  const holder = randomUUID();
  await takeLock(folder, holder);
  try {
    return await change();
  } finally {
    await releaseLock(folder, holder);
  }
}
