// The port behind a bucket. Names are any text but the empty one; versions are numbers written as text.

export interface StoredObject {
  name: string;
  version: string;
  /** Bytes. */
  size: number;
  contentType: string;
  etag: string;
}

export interface PutOptions {
  contentType?: string;
  /** Refuse when there is an object of that name. */
  notExists: boolean;
}

/** Every method throws `ObjectProblem`. A `version` picks one that is not the current one. */
export interface BucketStore {
  attrs(name: string, version?: string): Promise<StoredObject>;
  exists(name: string, version?: string): Promise<boolean>;
  read(name: string, version?: string): Promise<Buffer>;
  put(name: string, data: Uint8Array, options: PutOptions): Promise<StoredObject>;
  remove(name: string, version?: string): Promise<void>;
  /** In the order of their names' bytes. */
  list(prefix: string, limit: number): Promise<StoredObject[]>;
}
