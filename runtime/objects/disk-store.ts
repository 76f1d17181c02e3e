// A bucket as a folder on disk.
import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lockedObject, objectFolder, readRecord, versionFile, writeRecord, type ObjectRecord } from "./disk-record";
import { notFound, otherProblem, preconditionFailed } from "./errors";
import type { BucketStore, PutOptions, StoredObject } from "./store";

const CONTENT_TYPE_DEFAULT = "application/octet-stream";

function checkName(name: string): void {
  if (name === "") throw otherProblem("an object's name must not be empty");
}

function checkVersion(version: string | undefined): void {
  if (version !== undefined && !/^\d+$/.test(version)) throw otherProblem(`invalid version number ${version}: only digits are allowed`);
}

function pick(record: ObjectRecord | null, version: string | undefined): StoredObject | undefined {
  const wanted = version ?? record?.current;
  return record?.versions.find((object) => object.version === wanted);
}

/** Ascends over time and, within this object, over all versions so far. */
function nextVersion(record: ObjectRecord): string {
  const last = record.versions.reduce((max, { version }) => (BigInt(version) > max ? BigInt(version) : max), 0n);
  const now = BigInt(Date.now()) * 1000n;
  return String(now > last ? now : last + 1n);
}

export class DiskStore implements BucketStore {
  readonly #folder: string;
  readonly #versioned: boolean;

  constructor(folder: string, versioned: boolean) {
    this.#folder = folder;
    this.#versioned = versioned;
  }

  async #find(name: string, version?: string): Promise<StoredObject | undefined> {
    checkName(name);
    checkVersion(version);
    return pick(await readRecord(objectFolder(this.#folder, name)), version);
  }

  async attrs(name: string, version?: string): Promise<StoredObject> {
    const object = await this.#find(name, version);
    if (!object) throw notFound();
    return object;
  }

  async exists(name: string, version?: string): Promise<boolean> {
    return (await this.#find(name, version)) !== undefined;
  }

  /** Path of the file that holds an object's bytes. */
  async file(name: string): Promise<{ path: string; object: StoredObject }> {
    const object = await this.attrs(name);
    return { path: versionFile(objectFolder(this.#folder, name), object.version), object };
  }

  async read(name: string, version?: string): Promise<Buffer> {
    const object = await this.attrs(name, version);
    try {
      return await readFile(versionFile(objectFolder(this.#folder, name), object.version));
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") throw notFound(); // replaced or removed in between
      throw error;
    }
  }

  put(name: string, data: Uint8Array, options: PutOptions): Promise<StoredObject> {
    const etag = createHash("md5").update(data).digest("hex");
    return this.#commit(name, { ...options, size: data.byteLength, etag }, (target) => writeFile(target, data));
  }

  /** Takes over a file that was written elsewhere on the same disk. */
  putFile(name: string, source: string, options: PutOptions & { size: number; etag: string }): Promise<StoredObject> {
    return this.#commit(name, options, (target) => rename(source, target));
  }

  async #commit(name: string, options: PutOptions & { size: number; etag: string }, place: (target: string) => Promise<void>): Promise<StoredObject> {
    checkName(name);
    const folder = objectFolder(this.#folder, name);
    return lockedObject(folder, async () => {
      const record = (await readRecord(folder)) ?? { name, current: null, versions: [] };
      if (options.notExists && record.current !== null) throw preconditionFailed();
      const object: StoredObject = {
        name,
        version: nextVersion(record),
        size: options.size,
        contentType: options.contentType ?? CONTENT_TYPE_DEFAULT,
        etag: options.etag,
      };
      await place(versionFile(folder, object.version));
      const kept = this.#versioned ? record.versions : [];
      await writeRecord(folder, { name, current: object.version, versions: [...kept, object] });
      if (!this.#versioned) await this.#dropFiles(folder, record.versions);
      return object;
    });
  }

  async remove(name: string, version?: string): Promise<void> {
    checkName(name);
    checkVersion(version);
    const folder = objectFolder(this.#folder, name);
    if (!(await readRecord(folder))) throw notFound();
    await lockedObject(folder, async () => {
      const record = await readRecord(folder);
      const object = pick(record, version);
      if (!record || !object) throw notFound();
      const keeps = this.#versioned && version === undefined;
      const versions = keeps ? record.versions : record.versions.filter((other) => other !== object);
      const current = record.current === object.version ? null : record.current;
      await writeRecord(folder, { name, current, versions });
      if (!keeps) await this.#dropFiles(folder, [object]);
    });
  }

  async #dropFiles(folder: string, objects: StoredObject[]): Promise<void> {
    await Promise.all(objects.map(({ version }) => rm(versionFile(folder, version), { force: true })));
  }

  async list(prefix: string, limit: number): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    for (const shard of await this.#entries(this.#folder)) {
      for (const folder of await this.#entries(join(this.#folder, shard))) {
        const object = await this.#currentIn(join(this.#folder, shard, folder));
        if (object?.name.startsWith(prefix)) found.push(object);
      }
    }
    found.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    return found.slice(0, limit);
  }

  async #currentIn(folder: string): Promise<StoredObject | undefined> {
    return pick(await readRecord(folder), undefined);
  }

  async #entries(folder: string): Promise<string[]> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  }
}
