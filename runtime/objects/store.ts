// The port behind a bucket. Names are any text but the empty one; versions are what the store made them.

export interface ListedObject {
  name: string;
  /** Bytes. */
  size: number;
  /** Without quotes. */
  etag: string;
}

export interface StoredObject extends ListedObject {
  /** Absent where the store keeps none. */
  version?: string;
  contentType: string;
}

export interface PutOptions {
  contentType?: string;
  /** Refuse when there is an object of that name. */
  notExists: boolean;
}

export interface StreamOptions {
  contentType: string;
  /** Bytes. */
  size: number;
}

export interface OpenedObject {
  object: StoredObject;
  body: AsyncIterable<Uint8Array>;
}

/** What an object is that came without a type. */
export const CONTENT_TYPE_DEFAULT = "application/octet-stream";

/** Every method throws `ObjectProblem`. A `version` picks one that is not the current one. */
export interface BucketStore {
  attrs(name: string, version?: string): Promise<StoredObject>;
  exists(name: string, version?: string): Promise<boolean>;
  read(name: string, version?: string): Promise<Buffer>;
  /** The same as `read` in pieces; they are to be read to the end, or left by the iterator's return. */
  open(name: string): Promise<OpenedObject>;
  put(name: string, data: Uint8Array, options: PutOptions): Promise<StoredObject>;
  /** Replaces what is there; nothing of it is seen before `body` has ended. */
  putStream(name: string, body: AsyncIterable<Uint8Array>, options: StreamOptions): Promise<StoredObject>;
  /** Without a version a versioned store keeps what it had as older versions. Not found: an error. */
  remove(name: string, version?: string): Promise<void>;
  /** In the order of their names' bytes. `limit` may be Infinity. */
  list(prefix: string, limit: number): AsyncIterable<ListedObject>;
}

/** Where the bucket can be reached from outside. */
export interface BucketUrls {
  /** Null when the bucket is not public. */
  public(name: string): string | null;
  /** A URL that permits one method on one object until it expires. */
  signed(method: "GET" | "PUT", name: string, ttlSeconds: number): Promise<string>;
}
