// Buckets of a host without the rest of it, and what every test of them reads.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { HostConfig } from "../../../config";
import type { Host, HostLog } from "../../../host";
import type { BucketModel } from "../../../model";
import { type Bucket, type BucketObject, type ListEntry, TypedObjectError } from "../../bucket";
import { createBuckets } from "../../index";

const quiet: HostLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  prepareInfo: () => null,
};

export const bucketModels: BucketModel[] = [
  { name: "files", versioned: false, public: false },
  { name: "site", versioned: false, public: true },
  { name: "versions", versioned: true, public: false },
];

export interface Subject {
  bucket(name: string): Bucket;
  /** The host's own address. */
  address: string;
  close(): Promise<void>;
}

/** A listener that answers as the host's does, and the model's three buckets. */
export async function openBuckets(config: Pick<HostConfig, "objectsDir" | "objectStorage">): Promise<Subject> {
  const host = {
    model: { buckets: bucketModels } as Host["model"],
    config: { ...config, apiBaseUrl: "" } as HostConfig,
    testMode: true,
    log: quiet,
    newDecimal: String,
  } as Host;
  const server: Server = createServer((request, response) => {
    if (!host.front?.some((handle) => handle(request, response))) response.writeHead(599).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host.config.apiBaseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const part = createBuckets(host);
  return {
    bucket: (name) => part.bucket(name),
    address: host.config.apiBaseUrl,
    async close() {
      await part.drain();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The value, or the error as a thrown message with its kind. */
export async function ok<T>(work: Promise<T>): Promise<Exclude<T, TypedObjectError | null>> {
  const result = await work;
  if (result instanceof TypedObjectError) throw new Error(`${result.kind}: ${result.message}`);
  return result as Exclude<T, TypedObjectError | null>;
}

export const put = (object: BucketObject, text: string, options = {}) => ok(object.upload(Buffer.from(text), options));

export async function entries(bucket: Bucket, options: { prefix?: string; limit?: number }): Promise<ListEntry[]> {
  const iterator = await ok(bucket.list(options));
  const found: ListEntry[] = [];
  for (let entry: ListEntry | null; (entry = await iterator.next());) found.push(entry);
  return found;
}

export const names = async (bucket: Bucket, options: { prefix?: string; limit?: number }): Promise<string[]> =>
  (await entries(bucket, options)).map(({ name }) => name);
