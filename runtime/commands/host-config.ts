// Puts together the HostConfig of an app process from the command line, the environment and the infrastructure.
// What an infra config says comes first, but for variables that name the same thing on purpose (GROUNDWORK_…).
import { cpus } from "node:os";
import { join } from "node:path";
import type { HostConfig } from "../config";
import { checkObjectStorage, type Infra } from "../infra";
import { newMessageId } from "../pubsub/ids";
import { loadSecrets } from "../secrets";
import { buildInfo, edgeHeadersOf, environmentOf, secretNames, truthy } from "./environment";
import { hostingOf } from "./hosting";
import type { ParsedApp } from "./parse-app";

export interface HostConfigInput {
  root: string;
  stateDir: string;
  env: NodeJS.ProcessEnv;
  app: ParsedApp;
  listen: { host: string; port: number };
  infra: Pick<Infra, "databases" | "hostDatabase" | "redisUrl" | "config">;
  /** When it is not to be read off the checkout. */
  build?: HostConfig["build"];
}

/** An infra config is the whole truth about secrets, but for a variable of a secret's own name. */
function secretsOf({ root, stateDir, env, app, infra }: HostConfigInput): Record<string, string> {
  const names = secretNames(app.model);
  if (!infra.config) return loadSecrets(root, stateDir, env, names);
  const named = names.map((name) => [name, infra.config?.secrets[name] ?? env[name]] as const);
  return Object.fromEntries(named.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Parts of an infra config that change nothing where they are absent. */
function optionsOf({
  app,
  infra: { config },
}: HostConfigInput): Pick<HostConfig, "logLevel" | "cors" | "metricsExport"> {
  const logLevel = config?.logLevel ?? app.model.app.logLevel;
  return {
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(config?.cors ? { cors: config.cors } : {}),
    ...(config?.metricsExport ? { metricsExport: config.metricsExport } : {}),
  };
}

/** Threads for handlers (B-30): `worker_threads`, else encore.app's `build.worker_pooling`; 0 stands for one per processor. */
function threadsFor({ app, infra }: HostConfigInput): number {
  const count = infra.config?.workerThreads ?? (app.model.app.build?.workerPooling ? 0 : 1);
  return count === 0 ? cpus().length : count;
}

function storageOf({ app, infra: { config } }: HostConfigInput): Pick<HostConfig, "objectStorage"> {
  if (!config?.objectStorage) return {};
  checkObjectStorage(config.objectStorage, app.model, config.hostedServices);
  return { objectStorage: config.objectStorage };
}

/** How long the app may take to end by itself. */
export const gracefulShutdownMs = ({ config }: Pick<Infra, "config">): number => config?.gracefulShutdownMs ?? 10_000;

export function makeHostConfig(input: HostConfigInput): HostConfig {
  const { root, stateDir, env, app, listen, infra } = input;
  const metadata = infra.config?.metadata ?? {};
  const environment = environmentOf(env, metadata);
  const development = environment.type === "development";
  return {
    appRoot: root,
    stateDir,
    modelFile: app.modelFile,
    environment,
    appId: metadata.app_id ?? app.model.app.id,
    apiBaseUrl:
      env.GROUNDWORK_BASE_URL ??
      metadata.base_url ??
      `http://${listen.host === "0.0.0.0" ? "localhost" : listen.host}:${listen.port}`,
    deployId: `run_${newMessageId()}`,
    build: input.build ?? buildInfo(root),
    listen,
    databases: Object.fromEntries(
      Object.entries(infra.databases).map(([name, { ownerUrl: _, ...database }]) => [name, database]),
    ),
    ...(infra.hostDatabase ? { hostDatabase: infra.hostDatabase } : {}),
    ...(infra.redisUrl ? { redisUrl: infra.redisUrl } : {}),
    secrets: secretsOf(input),
    objectsDir: join(stateDir, "objects"),
    ...storageOf(input),
    ...hostingOf(infra.config, app.model, env),
    ...optionsOf(input),
    workerThreads: threadsFor(input),
    edgeHeaders: edgeHeadersOf(root),
    includeInternalMessage:
      env.ENCORE_API_INCLUDE_INTERNAL_MESSAGE === undefined
        ? development
        : truthy(env.ENCORE_API_INCLUDE_INTERNAL_MESSAGE),
    logFormat: env.ENCORE_LOG_FORMAT === "console" ? "console" : "json",
    gracefulShutdownMs: gracefulShutdownMs(infra),
  };
}
