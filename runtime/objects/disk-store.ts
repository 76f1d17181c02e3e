// A bucket as a folder on disk.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { withDraft } from "./disk-drafts";
import {
  type DiskObject,
  isMissing,
  lockedObject,
  objectFolder,
  readRecord,
  versionFile,
  writeRecord,
  type ObjectRecord,
} from "./disk-record";
import { notFound, otherProblem, preconditionFailed } from "./errors";
import {
  type BucketStore,
  CONTENT_TYPE_DEFAULT,
  type ListedObject,
  type OpenedObject,
  type PutOptions,
  type StreamOptions,
} from "./store";

function checkVersion(version: string | undefined): void {
  if (version !== undefined && !/^\d+$/.test(version))
    throw otherProblem(`invalid version number ${version}: only digits are allowed`);
}

function pick(record: ObjectRecord | null, version: string | undefined): DiskObject | undefined {
  const wanted = version ?? record?.current;
  return record?.versions.find((object) => object.version === wanted);
}

/** Ascends over time and, within this object, over all versions so far. */
function nextVersion(record: ObjectRecord): string {
  const last = record.versions.reduce((max, { version }) => (BigInt(version) > max ? BigInt(version) : max), 0n);
  const now = BigInt(Date.now()) * 1000n;
  return String(now > last ? now : last + 1n);
}

export interface DiskStoreOptions {
  /** The bucket's own folder. */
  folder: string;
  /** Where objects grow, on the same disk. */
  draftsDir: string;
  versioned: boolean;
}

export class DiskStore implements BucketStore {
  readonly #folder: string;
  readonly #versioned: boolean;
  readonly draftsDir: string;

  constructor({ folder, draftsDir, versioned }: DiskStoreOptions) {
    this.#folder = folder;
    this.draftsDir = draftsDir;
    this.#versioned = versioned;
  }

  async #find(name: string, version?: string): Promise<DiskObject | undefined> {
    checkVersion(version);
    return pick(await readRecord(objectFolder(this.#folder, name)), version);
  }

  async attrs(name: string, version?: string): Promise<DiskObject> {
    const object = await this.#find(name, version);
    if (!object) throw notFound();
    return object;
  }

  async exists(name: string, version?: string): Promise<boolean> {
    return (await this.#find(name, version)) !== undefined;
  }

  /** Path of the file that holds an object's bytes. */
  async file(name: string): Promise<{ path: string; object: DiskObject }> {
    const object = await this.attrs(name);
    return { path: versionFile(objectFolder(this.#folder, name), object.version), object };
  }

  async read(name: string, version?: string): Promise<Buffer> {
    const object = await this.attrs(name, version);
    try {
      return await readFile(versionFile(objectFolder(this.#folder, name), object.version));
    } catch (error) {
      if (isMissing(error)) throw notFound(); // replaced or removed in between
      throw error;
    }
  }

  async open(name: string): Promise<OpenedObject> {
    const { path, object } = await this.file(name);
    return { object, body: createReadStream(path) };
  }

  putStream(name: string, body: AsyncIterable<Uint8Array>, { contentType, size }: StreamOptions): Promise<DiskObject> {
    const hash = createHash("md5");
    return withDraft(this.draftsDir, async (draft) => {
      const counted = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) {
          hash.update(chunk);
          yield chunk;
        }
      };
      await pipeline(counted, createWriteStream(draft, { flush: true }));
      return this.putFile(name, draft, { contentType, notExists: false, size, etag: hash.digest("hex") });
    });
  }

  put(name: string, data: Uint8Array, options: PutOptions): Promise<DiskObject> {
    const etag = createHash("md5").update(data).digest("hex");
    return withDraft(this.draftsDir, async (draft) => {
      await writeFile(draft, data, { flush: true });
      return this.putFile(name, draft, { ...options, size: data.byteLength, etag });
    });
  }

  /** Takes over a draft, which is on the disk already. */
  putFile(name: string, draft: string, options: PutOptions & { size: number; etag: string }): Promise<DiskObject> {
    const folder = objectFolder(this.#folder, name);
    return lockedObject(folder, async () => {
      const record = (await readRecord(folder)) ?? { name, current: null, versions: [] };
      if (options.notExists && record.current !== null) throw preconditionFailed();
      const object: DiskObject = {
        name,
        version: nextVersion(record),
        size: options.size,
        contentType: options.contentType ?? CONTENT_TYPE_DEFAULT,
        etag: options.etag,
      };
      await rename(draft, versionFile(folder, object.version));
      const kept = this.#versioned ? record.versions : [];
      await writeRecord(folder, { name, current: object.version, versions: [...kept, object] });
      if (!this.#versioned) await this.#dropFiles(folder, record.versions);
      return object;
    });
  }

  async remove(name: string, version?: string): Promise<void> {
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

  async #dropFiles(folder: string, objects: DiskObject[]): Promise<void> {
    await Promise.all(objects.map(({ version }) => rm(versionFile(folder, version), { force: true })));
  }

  async *list(prefix: string, limit: number): AsyncIterable<ListedObject> {
    const found: DiskObject[] = [];
    for (const shard of await this.#folders(this.#folder)) {
      const folders = await this.#folders(join(this.#folder, shard));
      const objects = await Promise.all(
        folders.map(async (folder) => pick(await readRecord(join(this.#folder, shard, folder)), undefined)),
      );
      found.push(...(objects.filter((object) => object?.name.startsWith(prefix)) as DiskObject[]));
    }
    found.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    yield* found.slice(0, limit);
  }

  /** A bucket that nothing was put in yet has no folder. */
  async #folders(folder: string): Promise<string[]> {
    try {
      const entries = await readdir(folder, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}
