// Object storage (contract 9.4): a bucket is a folder on disk, or on an S3 server where the infra config says so.
import type { Host, Part } from "../host";
import type { BucketModel } from "../model";
import { Bucket, type BucketParts } from "./bucket";
import { openDiskStorage } from "./disk-storage";
import { otherProblem } from "./errors";
import { S3Servers } from "./s3-servers";
import { s3Bucket } from "./s3-store";
import type { BucketStore } from "./store";

/** What a bucket answers that the app's model or its infra config does not have: every operation fails, nothing throws (13.2). */
function unknownBucket(name: string): Bucket {
  const fail = (): Promise<never> => Promise.reject(otherProblem(`bucket ${name} is not configured`));
  const list = (): AsyncIterable<never> => ({ [Symbol.asyncIterator]: () => ({ next: fail }) });
  const store: BucketStore = {
    attrs: fail,
    exists: fail,
    read: fail,
    open: fail,
    put: fail,
    putStream: fail,
    remove: fail,
    list,
  };
  return new Bucket({ store, urls: { public: () => null, signed: fail }, versioned: false });
}

export function createBuckets(host: Host): Part & { bucket(name: string): Bucket } {
  const servers = new S3Servers();
  const { objectStorage } = host.config;
  // Opened when the first bucket is asked for: an app without buckets leaves nothing on disk.
  let onDisk: ((bucket: BucketModel) => BucketParts) | undefined;
  const diskBucket = (bucket: BucketModel): BucketParts => {
    onDisk ??= openDiskStorage(host);
    return onDisk(bucket);
  };
  return {
    name: "buckets",
    bucket(name) {
      const model = host.model.buckets.find((bucket) => bucket.name === name);
      if (!model || (objectStorage && !objectStorage[name])) return unknownBucket(name);
      return new Bucket(objectStorage?.[name] ? s3Bucket(servers, model, objectStorage[name]) : diskBucket(model));
    },
    start: () => Promise.resolve(),
    drain: () => servers.close(),
  };
}
