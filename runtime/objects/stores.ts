// The stores of an app's buckets for a command, which answers no URLs: folders on disk, or the S3 servers of the infra config.
import { join } from "node:path";
import type { S3BucketConfig } from "../config";
import type { BucketModel } from "../model";
import { DiskStore } from "./disk-store";
import { S3Servers } from "./s3-servers";
import { S3Store } from "./s3-store";
import type { BucketStore } from "./store";

export interface StoresInput {
  buckets: readonly BucketModel[];
  /** Absolute; where buckets on disk are. */
  objectsDir: string;
  objectStorage?: Record<string, S3BucketConfig>;
}

export interface OpenStores {
  stores: ReadonlyMap<string, BucketStore>;
  close(): Promise<void>;
}

export function openStores({ buckets, objectsDir, objectStorage }: StoresInput): OpenStores {
  const servers = new S3Servers();
  const storeOf = ({ name, versioned }: BucketModel): BucketStore => {
    const s3 = objectStorage?.[name];
    if (s3) return new S3Store(servers, s3, versioned);
    return new DiskStore({ folder: diskFolder(objectsDir, name), draftsDir: draftsDir(objectsDir), versioned });
  };
  return {
    stores: new Map(buckets.map((bucket) => [bucket.name, storeOf(bucket)])),
    close: () => servers.close(),
  };
}

export const diskFolder = (objectsDir: string, bucket: string): string => join(objectsDir, encodeURIComponent(bucket));
export const draftsDir = (objectsDir: string): string => join(objectsDir, ".uploads");
