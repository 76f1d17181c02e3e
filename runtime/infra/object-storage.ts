// `object_storage` of an infra config (12.3, X-33): which buckets are on S3. Without it buckets are folders on disk.
import { z } from "zod";
import type { S3BucketConfig, S3Server } from "../config";
import type { AppModel } from "../model";
import { type Env, envString, resolve } from "./env-string";
import { InfraError } from "./errors";

const address = z.url({ protocol: /^https?$/, error: "must be an http or https address" });
const buckets = z
  .record(
    z.string(),
    z.object({ name: z.string().min(1), key_prefix: z.string().optional(), public_base_url: address.optional() }),
  )
  .default({});

const s3 = z
  .object({
    type: z.literal("s3"),
    region: z.string().min(1),
    endpoint: address.optional(),
    access_key_id: envString.optional(),
    secret_access_key: envString.optional(),
    /** Ours, left alone by Encore: for servers whose buckets have no host names. */
    force_path_style: z.boolean().optional(),
    buckets,
  })
  // With one of them the other would be looked for elsewhere, and be somebody else's.
  .refine(
    (server) => (server.access_key_id === undefined) === (server.secret_access_key === undefined),
    "access_key_id and secret_access_key go together",
  );
const gcs = z.object({ type: z.literal("gcs"), buckets });

export const objectStorage = z.array(z.discriminatedUnion("type", [s3, gcs], { error: 'type must be "s3"' }));

function serverOf(entry: z.infer<typeof s3>, env: Env): S3Server {
  return {
    region: entry.region,
    ...(entry.endpoint === undefined ? {} : { endpoint: entry.endpoint }),
    ...(entry.access_key_id === undefined ? {} : { accessKeyId: resolve(entry.access_key_id, env) }),
    ...(entry.secret_access_key === undefined ? {} : { secretAccessKey: resolve(entry.secret_access_key, env) }),
    ...(entry.force_path_style === undefined ? {} : { forcePathStyle: entry.force_path_style }),
  };
}

/**
 * Where each bucket is, by Encore's name; undefined when nothing is said of any.
 * @throws InfraError for Google's storage, and naming a variable that is not set
 */
export function objectStorageOf(
  path: string,
  entries: z.infer<typeof objectStorage>,
  env: Env,
): Record<string, S3BucketConfig> | undefined {
  const found: Record<string, S3BucketConfig> = {};
  for (const entry of entries) {
    const names = Object.keys(entry.buckets);
    if (names.length === 0) continue;
    if (entry.type === "gcs") {
      throw new InfraError(
        `${path}: object_storage of type gcs is not supported yet (${names.join(", ")})\n  Put the buckets on S3 or a server that speaks its protocol (type s3), or leave object_storage out to keep them in folders on disk.`,
      );
    }
    const server = serverOf(entry, env);
    for (const [name, bucket] of Object.entries(entry.buckets)) {
      found[name] = {
        server,
        bucket: bucket.name,
        keyPrefix: bucket.key_prefix ?? "",
        ...(bucket.public_base_url === undefined ? {} : { publicBaseUrl: bucket.public_base_url }),
      };
    }
  }
  return Object.keys(found).length ? found : undefined;
}

/**
 * Holds the configuration to the app: every bucket of it, or with `hostedServices` every one that these use.
 * @throws InfraError naming buckets that are missing, and public ones that nobody could reach
 */
export function checkObjectStorage(
  storage: Record<string, S3BucketConfig>,
  model: AppModel,
  hostedServices?: string[],
): void {
  const used = new Set(
    model.services
      .filter(({ name }) => hostedServices?.includes(name))
      .flatMap((service) => service.buckets.map(({ name }) => name)),
  );
  const needed = model.buckets.filter(({ name }) => !hostedServices || used.has(name));
  const missing = needed.filter(({ name }) => !storage[name]).map(({ name }) => name);
  if (missing.length)
    throw new InfraError(
      `object_storage of the infra config lacks ${missing.join(", ")}\n  Give each its place under "buckets" there, or leave object_storage out to keep all buckets in folders on disk.`,
    );
  const unreachable = needed
    .filter((bucket) => bucket.public && storage[bucket.name]?.publicBaseUrl === undefined)
    .map(({ name }) => name);
  if (unreachable.length)
    throw new InfraError(
      `object_storage of the infra config: the public ${unreachable.length > 1 ? "buckets" : "bucket"} ${unreachable.join(", ")} needs a public_base_url, where its objects are read`,
    );
}
