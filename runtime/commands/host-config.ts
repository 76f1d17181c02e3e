// Puts together the HostConfig of an app process from the command line, the environment and the infrastructure.
import { join } from "node:path";
import type { HostConfig } from "../config";
import { newMessageId } from "../pubsub/ids";
import { loadSecrets } from "../secrets";
import { buildInfo, edgeHeadersOf, environmentOf, secretNames, truthy } from "./environment";
import type { ParsedApp } from "./parse-app";

export interface HostConfigInput {
  root: string;
  stateDir: string;
  env: NodeJS.ProcessEnv;
  app: ParsedApp;
  listen: { host: string; port: number };
  infra: { databases: HostConfig["databases"]; redisUrl?: string };
}

export function makeHostConfig({ root, stateDir, env, app, listen, infra }: HostConfigInput): HostConfig {
  const environment = environmentOf(env);
  const development = environment.type === "development";
  return {
    appRoot: root,
    stateDir,
    modelFile: app.modelFile,
    environment,
    appId: app.model.app.id,
    apiBaseUrl: env.GROUNDWORK_BASE_URL ?? `http://${listen.host === "0.0.0.0" ? "localhost" : listen.host}:${listen.port}`,
    deployId: `run_${newMessageId()}`,
    build: buildInfo(root),
    listen,
    databases: infra.databases,
    ...(infra.redisUrl ? { redisUrl: infra.redisUrl } : {}),
    secrets: loadSecrets(root, stateDir, env, secretNames(app.model)),
    objectsDir: join(stateDir, "objects"),
    hostsGateway: true,
    workerThreads: 1,
    edgeHeaders: edgeHeadersOf(root),
    includeInternalMessage: env.ENCORE_API_INCLUDE_INTERNAL_MESSAGE === undefined ? development : truthy(env.ENCORE_API_INCLUDE_INTERNAL_MESSAGE),
    logFormat: env.ENCORE_LOG_FORMAT === "console" ? "console" : "json",
    gracefulShutdownMs: 10_000,
  };
}
