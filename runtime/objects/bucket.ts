// The native bucket classes (13.3). Operations resolve to a value or a `TypedObjectError`.
import { invalidArgument, settled } from "./errors";
import type { BucketStore, StoredObject } from "./store";
import { nativeError } from "../native/native-error";
import type { TypedObjectError } from "./object-error";

export { ObjectErrorKind, TypedObjectError } from "./object-error";

interface VersionOptions {
  version?: string;
}
type Maybe<T> = T | null | undefined;
type Source = unknown;

const isBytes = (data: unknown): boolean => data instanceof Uint8Array;

const SIGNED_TTL_DEFAULT_SECONDS = 3600;
const SIGNED_TTL_MAX_SECONDS = 7 * 86_400;

export class ObjectAttrs {
  name: string;
  version?: string;
  size: number;
  contentType?: string;
  etag: string;

  constructor(object: StoredObject) {
    this.name = object.name;
    this.version = object.version;
    this.size = object.size;
    this.contentType = object.contentType;
    this.etag = object.etag;
  }
}

export class ListEntry {
  name: string;
  size: number;
  etag: string;

  constructor({ name, size, etag }: StoredObject) {
    this.name = name;
    this.size = size;
    this.etag = etag;
  }
}

export class ListIterator {
  readonly #entries: Iterator<StoredObject>;

  constructor(entries: Iterable<StoredObject>) {
    this.#entries = entries[Symbol.iterator]();
  }

  next(): Promise<ListEntry | null> {
    const step: IteratorResult<StoredObject, unknown> = this.#entries.next();
    return Promise.resolve(step.done ? null : new ListEntry(step.value));
  }

  markDone(): void {}
}

/** Where the bucket can be reached from outside. */
export interface BucketUrls {
  /** Null when the bucket is not public. */
  public(name: string): string | null;
  signed(method: "GET" | "PUT", name: string, ttlSeconds: number): string;
}

export class BucketObject {
  readonly #store: BucketStore;
  readonly #urls: BucketUrls;
  readonly #name: string;

  constructor(store: BucketStore, urls: BucketUrls, name: string) {
    this.#store = store;
    this.#urls = urls;
    this.#name = name;
  }

  attrs(options?: Maybe<VersionOptions>, _source?: Source): Promise<ObjectAttrs | TypedObjectError> {
    return settled(async () => new ObjectAttrs(await this.#store.attrs(this.#name, options?.version)));
  }

  exists(options?: Maybe<VersionOptions>, _source?: Source): Promise<boolean | TypedObjectError> {
    return settled(() => this.#store.exists(this.#name, options?.version));
  }

  async upload(data: Buffer, options?: Maybe<{ contentType?: string; preconditions?: { notExists?: boolean } }>, _source?: Source): Promise<ObjectAttrs | TypedObjectError> {
    if (!isBytes(data)) throw nativeError("upload needs a Buffer", "InvalidArg");
    return settled(async () => {
      const { contentType, preconditions } = options ?? {};
      return new ObjectAttrs(await this.#store.put(this.#name, data, { contentType, notExists: preconditions?.notExists ?? false }));
    });
  }

  signedUploadUrl(options?: Maybe<{ ttl?: number }>, _source?: Source): Promise<{ url: string } | TypedObjectError> {
    return this.#sign("PUT", options?.ttl);
  }

  signedDownloadUrl(options?: Maybe<{ ttl?: number }>, _source?: Source): Promise<{ url: string } | TypedObjectError> {
    return this.#sign("GET", options?.ttl);
  }

  downloadAll(options?: Maybe<VersionOptions>, _source?: Source): Promise<Buffer | TypedObjectError> {
    return settled(() => this.#store.read(this.#name, options?.version));
  }

  /** Null when it worked. */
  async delete(options?: Maybe<VersionOptions>, _source?: Source): Promise<TypedObjectError | null> {
    return settled(async () => {
      await this.#store.remove(this.#name, options?.version);
      return null;
    });
  }

  publicUrl(): string {
    const url = this.#urls.public(this.#name);
    if (url === null) throw nativeError("bucket is not public");
    return url;
  }

  #sign(method: "GET" | "PUT", ttlSeconds: number = SIGNED_TTL_DEFAULT_SECONDS): Promise<{ url: string } | TypedObjectError> {
    return settled(() => {
      if (!(ttlSeconds >= 0 && ttlSeconds <= SIGNED_TTL_MAX_SECONDS)) throw invalidArgument();
      return Promise.resolve({ url: this.#urls.signed(method, this.#name, Math.trunc(ttlSeconds)) });
    });
  }
}

export class Bucket {
  readonly #store: BucketStore;
  readonly #urls: BucketUrls;

  constructor(store: BucketStore, urls: BucketUrls) {
    this.#store = store;
    this.#urls = urls;
  }

  object(name: string): BucketObject {
    return new BucketObject(this.#store, this.#urls, name);
  }

  list(options?: Maybe<{ prefix?: string; limit?: number }>, _source?: Source): Promise<ListIterator | TypedObjectError> {
    return settled(async () => new ListIterator(await this.#store.list(options?.prefix ?? "", options?.limit ?? Infinity)));
  }
}
