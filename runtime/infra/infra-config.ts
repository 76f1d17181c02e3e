// Encore's infra.config.json (contract 12.3), as far as this host can obey it. Unknown keys are left alone:
// the same file configures an Encore image.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { HostConfig, ServiceKey } from "../config";
import type { AppFile } from "../model";
import { connect } from "./connect";
import { type Env, envString, resolve } from "./env-string";
import { InfraError } from "./errors";
import { metricsExport, metricsExportOf } from "./metrics-export";
import { objectStorage, objectStorageOf } from "./object-storage";
import { type Peers, serviceAuth, serviceDiscovery, servicesElsewhere } from "./service-discovery";

/** A server that does not say within this whether it speaks TLS leaves the question open. */
const TLS_LIMIT_MS = 5_000;

const tls = z.object({
  disabled: z.boolean().optional(),
  ca: envString.optional(),
  disable_tls_hostname_verification: z.boolean().optional(),
  disable_ca_validation: z.boolean().optional(),
});

const schema = z.object({
  metadata: z
    .object({
      app_id: z.string(),
      env_name: z.string(),
      env_type: z.enum(["development", "production", "ephemeral", "test"]),
      cloud: z.enum(["local", "encore", "aws", "gcp", "azure"]),
      base_url: z.string(),
    })
    .partial()
    .optional(),
  graceful_shutdown: z.object({ total: z.number().optional() }).optional(),
  sql_servers: z
    .array(
      z.object({
        host: envString,
        tls_config: tls.optional(),
        databases: z.record(
          z.string(),
          z.object({
            name: z.string().optional(),
            max_connections: z.number().int().optional(),
            min_connections: z.number().int().optional(),
            username: envString,
            password: envString,
          }),
        ),
      }),
    )
    .optional(),
  redis: z
    .record(
      z.string(),
      z.object({
        host: envString.optional(),
        in_memory: z.boolean().optional(),
        database_index: z.number().int().default(0),
        auth: z
          .object({
            type: z.string(),
            username: envString.optional(),
            password: envString.optional(),
            auth_string: envString.optional(),
          })
          .optional(),
        tls_config: tls.optional(),
      }),
    )
    .optional(),
  metrics: metricsExport.nullish(),
  object_storage: objectStorage.optional(),
  secrets: z.union([z.object({ $env: z.string() }), z.record(z.string(), envString)]).optional(),
  auth: serviceAuth.optional(),
  service_discovery: serviceDiscovery.optional(),
  hosted_services: z.array(z.string()).optional(),
  hosted_gateways: z.array(z.string()).optional(),
  worker_threads: z.number().int().optional(),
  log_config: z.string().optional(),
  cors: z
    .object({
      debug: z.boolean().optional(),
      allow_headers: z.array(z.string()).optional(),
      expose_headers: z.array(z.string()).optional(),
      allow_origins_without_credentials: z.array(z.string()).optional(),
      allow_origins_with_credentials: z.array(z.string()).optional(),
    })
    .optional(),
});

/** Keys of Encore's format that this host cannot obey yet: refusing them is better than running without. */
const unsupported: Record<string, string> = {
  pubsub: "topics live in the first database, or on Redis when `redis` is given",
};

function refuseUnsupported(path: string, raw: unknown): void {
  for (const [key, instead] of Object.entries(unsupported)) {
    const value = typeof raw === "object" && raw !== null ? (raw as Record<string, unknown>)[key] : undefined;
    if (value === undefined || value === null || Object.keys(value).length === 0) continue;
    throw new InfraError(`${path}: ${key} is not supported yet\n  Here, ${instead}. Remove the key to run like that.`);
  }
}

type ParsedConfig = z.infer<typeof schema>;
type SqlServer = NonNullable<ParsedConfig["sql_servers"]>[number];
type Tls = z.infer<typeof tls> | undefined;

export interface InfraConfig {
  databases: HostConfig["databases"];
  redisUrl?: string;
  metricsExport?: NonNullable<HostConfig["metricsExport"]>;
  /** Absent: buckets are folders on disk. */
  objectStorage?: NonNullable<HostConfig["objectStorage"]>;
  secrets: Record<string, string>;
  hostedServices?: string[];
  hostedGateways?: string[];
  /** Services of other processes. */
  peers?: Peers;
  serviceKeys?: ServiceKey[];
  workerThreads?: number;
  gracefulShutdownMs?: number;
  logLevel?: string;
  cors?: NonNullable<AppFile["globalCors"]>;
  metadata: NonNullable<ParsedConfig["metadata"]>;
}

/** The certificate stands in the file as text, drivers want a file of its own. */
function certificateFile(pem: string): string {
  const file = join(
    mkdtempSync(join(tmpdir(), "groundwork-tls-")),
    `${createHash("sha256").update(pem).digest("hex").slice(0, 12)}.pem`,
  );
  writeFileSync(file, pem);
  return file;
}

/**
 * Settles `prefer`, which `pg` has no fallback for: with TLS when the server offers it, else without.
 * A server that cannot be reached keeps the question open; using it will tell.
 */
export async function settleTls(databases: HostConfig["databases"]): Promise<HostConfig["databases"]> {
  const settled = Object.entries(databases).map(async ([name, database]) => {
    const url = new URL(database.url);
    if (url.searchParams.get("sslmode") !== "prefer") return [name, database] as const;
    url.searchParams.set("sslmode", "no-verify");
    const failure = await connect(url.toString(), "groundwork", TLS_LIMIT_MS).then(
      async (client) => {
        await client.end().catch(() => undefined);
        return undefined;
      },
      (error: unknown) => String(error),
    );
    if (failure?.includes("does not support SSL")) url.searchParams.set("sslmode", "disable");
    return [name, { ...database, url: url.toString() }] as const;
  });
  return Object.fromEntries(await Promise.all(settled));
}

/** An absent tls_config means TLS is tried, not required (12.3). */
function sslMode(config: Tls): string {
  if (!config) return "prefer";
  if (config.disabled) return "disable";
  if (config.disable_ca_validation) return "no-verify";
  return config.disable_tls_hostname_verification ? "verify-ca" : "verify-full";
}

function databasesOf(server: SqlServer, env: Env): HostConfig["databases"] {
  const entries = Object.entries(server.databases).map(([name, database]) => {
    const url = new URL("postgresql://placeholder");
    url.host = resolve(server.host, env);
    url.username = encodeURIComponent(resolve(database.username, env));
    url.password = encodeURIComponent(resolve(database.password, env));
    url.pathname = `/${encodeURIComponent(database.name ?? name)}`;
    url.searchParams.set("sslmode", sslMode(server.tls_config));
    if (server.tls_config?.ca !== undefined)
      url.searchParams.set("sslrootcert", certificateFile(resolve(server.tls_config.ca, env)));
    return [
      name,
      {
        url: url.toString(),
        maxConnections: database.max_connections ?? 100,
        minConnections: database.min_connections ?? 0,
      },
    ] as const;
  });
  return Object.fromEntries(entries);
}

function redisUrlOf(clusters: NonNullable<ParsedConfig["redis"]>, env: Env): string | undefined {
  const cluster = Object.values(clusters).find(({ host, in_memory: inMemory }) => host !== undefined && !inMemory);
  if (cluster?.host === undefined) return undefined;
  const url = new URL("redis://placeholder");
  url.host = resolve(cluster.host, env);
  const password = cluster.auth?.password ?? cluster.auth?.auth_string;
  if (cluster.auth?.username !== undefined) url.username = encodeURIComponent(resolve(cluster.auth.username, env));
  if (password !== undefined) url.password = encodeURIComponent(resolve(password, env));
  url.pathname = `/${cluster.database_index}`;
  const text = url.toString();
  return cluster.tls_config && !cluster.tls_config.disabled ? text.replace("redis://", "rediss://") : text;
}

/** One variable with all secrets as JSON. What is wrong with it is told without its text, which a JSON error would quote. */
function allSecretsIn(variable: string, env: Env): Record<string, string> {
  const text = env[variable];
  if (text === undefined) return {};
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(text));
  } catch {
    throw new InfraError(
      `infra config: the environment variable ${variable} must be a JSON object of secrets, each a string`,
    );
  }
}

/** A secret whose variable is not set is a missing secret, not an error (X-5). */
function secretsOf(secrets: ParsedConfig["secrets"], env: Env): Record<string, string> {
  if (!secrets) return {};
  if (typeof secrets.$env === "string" && Object.keys(secrets).length === 1) return allSecretsIn(secrets.$env, env);
  const entries = Object.entries(secrets).map(
    ([name, value]) => [name, typeof value === "string" ? value : env[value.$env]] as const,
  );
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function corsOf(cors: NonNullable<ParsedConfig["cors"]>): NonNullable<AppFile["globalCors"]> {
  const named = {
    debug: cors.debug,
    allowHeaders: cors.allow_headers,
    exposeHeaders: cors.expose_headers,
    allowOriginsWithoutCredentials: cors.allow_origins_without_credentials,
    allowOriginsWithCredentials: cors.allow_origins_with_credentials,
  };
  return JSON.parse(JSON.stringify(named)) as NonNullable<AppFile["globalCors"]>; // without what is not given
}

/**
 * Reads the file that ENCORE_INFRA_CONFIG_PATH names.
 * @throws InfraError naming the file, the key and what is wrong with it
 */
export function readInfraConfig(path: string, env: Env): InfraConfig {
  const raw = readJson(path);
  refuseUnsupported(path, raw);
  const parsed = schema.safeParse(raw);
  if (!parsed.success)
    throw new InfraError(
      `${path}:\n${parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`).join("\n")}`,
    );
  const config = parsed.data;
  const redisUrl = config.redis && redisUrlOf(config.redis, env);
  const storage = config.object_storage && objectStorageOf(path, config.object_storage, env);
  return {
    databases: Object.assign(
      {},
      ...(config.sql_servers ?? []).map((server) => databasesOf(server, env)),
    ) as HostConfig["databases"],
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...metricsExportOf(path, config.metrics, env),
    ...(storage === undefined ? {} : { objectStorage: storage }),
    secrets: secretsOf(config.secrets, env),
    ...(config.hosted_services ? { hostedServices: config.hosted_services } : {}),
    ...(config.hosted_gateways ? { hostedGateways: config.hosted_gateways } : {}),
    ...servicesElsewhere(config.auth, config.service_discovery, env),
    ...(config.worker_threads === undefined ? {} : { workerThreads: config.worker_threads }),
    ...(config.graceful_shutdown?.total === undefined
      ? {}
      : { gracefulShutdownMs: config.graceful_shutdown.total * 1000 }),
    ...(config.log_config === undefined ? {} : { logLevel: config.log_config }),
    ...(config.cors ? { cors: corsOf(config.cors) } : {}),
    metadata: config.metadata ?? {},
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new InfraError(
      `ENCORE_INFRA_CONFIG_PATH: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
