// Buckets as folders on disk, with public and signed URLs on the host's own port.
import type { Host } from "../host";
import type { BucketModel } from "../model";
import type { BucketParts } from "./bucket";
import { removeAbandonedDrafts } from "./disk-drafts";
import { DiskStore } from "./disk-store";
import { objectPath } from "./object-path";
import { loadSigningKey, namespaceOf, signedQuery } from "./signing";
import type { BucketUrls } from "./store";
import { diskFolder, draftsDir } from "./stores";
import { createUrlHandler, type ServedBucket } from "./url-handler";

/** Makes the folder and the signing key, and answers the buckets' URLs before the app's routes. */
export function openDiskStorage(host: Host): (bucket: BucketModel) => BucketParts {
  const { objectsDir, apiBaseUrl } = host.config;
  const drafts = draftsDir(objectsDir);
  const signingKey = loadSigningKey(objectsDir);
  const namespace = namespaceOf(signingKey);
  const storeOf = ({ name, versioned }: BucketModel): DiskStore =>
    new DiskStore({ folder: diskFolder(objectsDir, name), draftsDir: drafts, versioned });
  const served = new Map(
    host.model.buckets.map((bucket): [string, ServedBucket] => [
      bucket.name,
      { store: storeOf(bucket), public: bucket.public },
    ]),
  );
  removeAbandonedDrafts(drafts, Date.now());
  (host.front ??= []).push(createUrlHandler({ namespace, signingKey, buckets: served, log: host.log, now: Date.now }));

  const pathOf = (bucket: BucketModel, name: string): string =>
    `/${namespace}/${encodeURIComponent(bucket.name)}/${objectPath(name)}`;
  const urlsOf = (bucket: BucketModel): BucketUrls => ({
    public: (name) => (bucket.public ? apiBaseUrl + pathOf(bucket, name) : null),
    signed: (method, name, ttlSeconds) => {
      const path = pathOf(bucket, name);
      return Promise.resolve(`${apiBaseUrl}${path}?${signedQuery(signingKey, method, path, ttlSeconds, new Date())}`);
    },
  });
  return (bucket) => ({
    store: served.get(bucket.name)?.store ?? storeOf(bucket),
    urls: urlsOf(bucket),
    versioned: bucket.versioned,
  });
}
