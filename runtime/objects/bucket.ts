// The native bucket classes (13.3). Operations resolve to a value or a `TypedObjectError`.
import { nativeError } from "../native/native-error";
import { invalidArgument, otherProblem, settled } from "./errors";
import { ListIterator } from "./list-iterator";
import type { TypedObjectError } from "./object-error";
import type { BucketStore, BucketUrls, StoredObject } from "./store";

export { ListEntry, ListIterator } from "./list-iterator";
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
    if (object.version !== undefined) this.version = object.version;
    this.size = object.size;
    this.contentType = object.contentType;
    this.etag = object.etag;
  }
}

/** What a bucket is made of. */
export interface BucketParts {
  store: BucketStore;
  urls: BucketUrls;
  /** Without it the option `version` is ignored, as the SDK documents. */
  versioned: boolean;
}

export class BucketObject {
  readonly #bucket: BucketParts;
  readonly #name: string;

  constructor(bucket: BucketParts, name: string) {
    this.#bucket = bucket;
    this.#name = name;
  }

  attrs(options?: Maybe<VersionOptions>, _source?: Source): Promise<ObjectAttrs | TypedObjectError> {
    return this.#run(async ({ store }, name) => new ObjectAttrs(await store.attrs(name, this.#version(options))));
  }

  exists(options?: Maybe<VersionOptions>, _source?: Source): Promise<boolean | TypedObjectError> {
    return this.#run(({ store }, name) => store.exists(name, this.#version(options)));
  }

  async upload(
    data: Buffer,
    options?: Maybe<{ contentType?: string; preconditions?: { notExists?: boolean } }>,
    _source?: Source,
  ): Promise<ObjectAttrs | TypedObjectError> {
    if (!isBytes(data)) throw nativeError("upload needs a Buffer", "InvalidArg");
    const { contentType, preconditions } = options ?? {};
    return this.#run(
      async ({ store }, name) =>
        new ObjectAttrs(await store.put(name, data, { contentType, notExists: preconditions?.notExists ?? false })),
    );
  }

  signedUploadUrl(options?: Maybe<{ ttl?: number }>, _source?: Source): Promise<{ url: string } | TypedObjectError> {
    return this.#sign("PUT", options?.ttl);
  }

  signedDownloadUrl(options?: Maybe<{ ttl?: number }>, _source?: Source): Promise<{ url: string } | TypedObjectError> {
    return this.#sign("GET", options?.ttl);
  }

  downloadAll(options?: Maybe<VersionOptions>, _source?: Source): Promise<Buffer | TypedObjectError> {
    return this.#run(({ store }, name) => store.read(name, this.#version(options)));
  }

  /** Null when it worked. */
  delete(options?: Maybe<VersionOptions>, _source?: Source): Promise<TypedObjectError | null> {
    return this.#run(async ({ store }, name) => {
      await store.remove(name, this.#version(options));
      return null;
    });
  }

  publicUrl(): string {
    const url = this.#bucket.urls.public(this.#name);
    if (url === null) throw nativeError("bucket is not public");
    return url;
  }

  #sign(
    method: "GET" | "PUT",
    ttlSeconds: number = SIGNED_TTL_DEFAULT_SECONDS,
  ): Promise<{ url: string } | TypedObjectError> {
    return this.#run(async ({ urls }, name) => {
      if (!(ttlSeconds >= 0 && ttlSeconds <= SIGNED_TTL_MAX_SECONDS)) throw invalidArgument();
      return { url: await urls.signed(method, name, Math.trunc(ttlSeconds)) };
    });
  }

  #version(options: Maybe<VersionOptions>): string | undefined {
    return this.#bucket.versioned ? (options?.version ?? undefined) : undefined;
  }

  /** The empty name is refused here for every store: on S3 it would address the bucket itself. */
  #run<T>(work: (bucket: BucketParts, name: string) => Promise<T>): Promise<T | TypedObjectError> {
    return settled(() => {
      if (this.#name === "") throw otherProblem("an object's name must not be empty");
      return work(this.#bucket, this.#name);
    });
  }
}

/** No limit, and officially a negative one too, lists everything. */
const limitOf = (limit: Maybe<number>): number =>
  limit === null || limit === undefined || limit < 0 ? Infinity : Math.trunc(limit);

export class Bucket {
  readonly #parts: BucketParts;

  constructor(parts: BucketParts) {
    this.#parts = parts;
  }

  object(name: string): BucketObject {
    return new BucketObject(this.#parts, name);
  }

  list(
    options?: Maybe<{ prefix?: string; limit?: number }>,
    _source?: Source,
  ): Promise<ListIterator | TypedObjectError> {
    return settled(() => ListIterator.open(this.#parts.store.list(options?.prefix ?? "", limitOf(options?.limit))));
  }
}
