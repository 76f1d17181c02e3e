// Object storage (contract 9.4): a folder per bucket on disk, with public and signed URLs on the host's own port.
import { join } from "node:path";
import type { Host, Part } from "../host";
import type { BucketModel } from "../model";
import { Bucket, type BucketUrls } from "./bucket";
import { DiskStore } from "./disk-store";
import { otherProblem } from "./errors";
import { loadSigningKey, namespaceOf, signedQuery } from "./signing";
import type { BucketStore } from "./store";
import { createUrlHandler, type ServedBucket } from "./url-handler";

/** What a bucket answers that the app's model does not have: every operation fails, nothing throws (13.2). */
function unknownBucket(name: string): Bucket {
  const fail = (): Promise<never> => Promise.reject(otherProblem(`bucket ${name} is not configured`));
  const store: BucketStore = { attrs: fail, exists: fail, read: fail, put: fail, remove: fail, list: fail };
  return new Bucket(store, { public: () => null, signed: () => "" });
}

const encodeName = (name: string): string => name.split("/").map(encodeURIComponent).join("/");

interface Storage {
  served: Map<string, ServedBucket>;
  urlsOf(bucket: BucketModel): BucketUrls;
}

/** Made when the first bucket is asked for: an app without buckets leaves nothing on disk. */
function openStorage(host: Host): Storage {
  const { objectsDir, apiBaseUrl } = host.config;
  const signingKey = loadSigningKey(objectsDir);
  const namespace = namespaceOf(signingKey);
  const served = new Map<string, ServedBucket>();
  for (const bucket of host.model.buckets) {
    served.set(bucket.name, { store: new DiskStore(join(objectsDir, encodeURIComponent(bucket.name)), bucket.versioned), public: bucket.public });
  }
  const handler = createUrlHandler({ namespace, signingKey, buckets: served, uploadsDir: join(objectsDir, ".uploads"), log: host.log, now: Date.now });
  (host.front ??= []).push(handler);
  const pathOf = (bucket: BucketModel, name: string): string => `/${namespace}/${encodeURIComponent(bucket.name)}/${encodeName(name)}`;
  return {
    served,
    urlsOf: (bucket) => ({
      public: (name) => (bucket.public ? apiBaseUrl + pathOf(bucket, name) : null),
      signed: (method, name, ttlSeconds) => {
        const path = pathOf(bucket, name);
        return `${apiBaseUrl}${path}?${signedQuery(signingKey, method, path, ttlSeconds, new Date())}`;
      },
    }),
  };
}

export function createBuckets(host: Host): Part & { bucket(name: string): Bucket } {
  let storage: Storage | undefined;
  return {
    name: "buckets",
    bucket(name) {
      storage ??= openStorage(host);
      const model = host.model.buckets.find((bucket) => bucket.name === name);
      const served = storage.served.get(name);
      return model && served ? new Bucket(served.store, storage.urlsOf(model)) : unknownBucket(name);
    },
    start: () => Promise.resolve(),
    drain: () => Promise.resolve(),
  };
}
