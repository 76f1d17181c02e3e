// Objects of buckets into an archive and back. Bytes pass through in pieces, however large an object is.
import { createHash } from "node:crypto";
import { ObjectProblem } from "../objects/errors";
import { ObjectErrorKind } from "../objects/object-error";
import type { BucketStore, OpenedObject } from "../objects/store";
import { InfraError } from "../infra";
import { type ArchiveEntry, bytesOf } from "./archive-reader";
import { entryNames, objectHead, type Digest, type ObjectHead, parseEntry } from "./archive-format";
import type { ArchiveWriter } from "./archive-writer";
import { SetDigest } from "./digest";

/** Its name is the longest text in it. */
export const OBJECT_HEAD_BYTES_MAX = 1024 * 1024;

export type Stores = ReadonlyMap<string, BucketStore>;

const digestedText = ({ name, contentType, size }: ObjectHead, sha256: string): string =>
  JSON.stringify([name, contentType, size, sha256]);

async function* hashed(body: AsyncIterable<Uint8Array>, told: (sha256: string) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
  told(hash.digest("hex"));
}

/** Undefined for one that is there no more. Any other error is one of the whole backup: an object that does not open is not a removed one. */
async function openListed(store: BucketStore, name: string): Promise<OpenedObject | undefined> {
  try {
    return await store.open(name);
  } catch (error) {
    if (error instanceof ObjectProblem && error.kind === ObjectErrorKind.NotFound) return undefined;
    throw error;
  }
}

/** Objects as they are while they are read: one that is removed meanwhile is not in the backup, nor would it be a moment later. */
export async function dumpBucket(
  bucket: string,
  store: BucketStore,
  archive: ArchiveWriter,
  progress: (objects: number) => void,
): Promise<Digest> {
  const digest = new SetDigest();
  let index = 0;
  for await (const listed of store.list("", Number.POSITIVE_INFINITY)) {
    const opened = await openListed(store, listed.name);
    if (!opened) continue;
    const { object, body } = opened;
    const head: ObjectHead = { name: object.name, contentType: object.contentType, size: object.size };
    const entry = entryNames.object(bucket, ++index);
    await archive.add(`${entry}.json`, Buffer.from(JSON.stringify(head)));
    let sha256 = "";
    await archive.addStream(
      `${entry}.bytes`,
      object.size,
      hashed(body, (value) => (sha256 = value)),
    );
    digest.add(digestedText(head, sha256));
    progress(1);
  }
  return digest.value();
}

export async function isEmptyBucket(store: BucketStore): Promise<boolean> {
  for await (const _ of store.list("", 1)) return false;
  return true;
}

export async function clearBucket(store: BucketStore): Promise<void> {
  for await (const { name } of store.list("", Number.POSITIVE_INFINITY)) await store.remove(name);
}

/** Takes the entries of objects in the order in which they stand: a head, then its bytes. */
export class ObjectLoader {
  readonly #digests = new Map<string, SetDigest>();
  #head: ObjectHead | undefined;

  constructor(
    private readonly stores: Stores,
    private readonly progress: (objects: number) => void,
  ) {}

  async take(bucket: string, entry: ArchiveEntry): Promise<void> {
    if (entry.name.endsWith(".json")) {
      this.#head = parseEntry(objectHead, entry.name, await bytesOf(entry, OBJECT_HEAD_BYTES_MAX));
      return;
    }
    const store = this.stores.get(bucket);
    const head = this.#head;
    this.#head = undefined;
    if (!store || !head) throw new InfraError(`${entry.name} of the backup stands without its name`);
    await store.putStream(head.name, entry.body, { contentType: head.contentType, size: head.size });
    const digest = this.#digests.get(bucket) ?? new SetDigest();
    this.#digests.set(bucket, digest);
    digest.add(digestedText(head, await hashOf(store, head.name)));
    this.progress(1);
  }

  digestOf(bucket: string): Digest {
    return (this.#digests.get(bucket) ?? new SetDigest()).value();
  }
}

/** Of what the store gives back, not of what it was given. */
async function hashOf(store: BucketStore, name: string): Promise<string> {
  const hash = createHash("sha256");
  const { body } = await store.open(name);
  for await (const chunk of body) hash.update(chunk);
  return hash.digest("hex");
}
