// Where a process's Host comes from: the commands leave the configuration in the environment. It holds
// secrets, so it is taken out again before the app can pass its environment to a child; worker threads
// get it through worker_threads' own environment data.
import { readFileSync } from "node:fs";
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";
import type { HostConfig } from "../config";
import type { AppModel } from "../model";
import { realmCount } from "../threads";

const variable = "GROUNDWORK_HOST_CONFIG";
const threadKey = "groundwork.host-config";

const missing =
  "there is no configuration for this process. Start the app with `groundwork run`, or in tests add the plugin " +
  "of `groundwork/vitest` to vitest.config.ts; both set GROUNDWORK_HOST_CONFIG.";

/** The configuration as JSON text; throws `failed to initialize runtime: …` (section 13.2) when there is none. */
function configText(keep: boolean): string {
  const fromThread = getEnvironmentData(threadKey);
  if (typeof fromThread === "string") {
    process.setSourceMapsEnabled(true); // as the start does for the main thread
    return fromThread;
  }
  const text = process.env[variable];
  if (!text) throw new Error(`failed to initialize runtime: ${missing}`);
  if (!keep) {
    setEnvironmentData(threadKey, text);
    delete process.env[variable];
  }
  return text;
}

const DEFAULT_CONNECTIONS = 30;

/** A database allows the process so many connections, not each of its threads. */
function shareConnections(config: HostConfig): void {
  const realms = realmCount(config.workerThreads);
  if (realms === 1) return;
  for (const database of Object.values(config.databases)) {
    database.maxConnections = Math.max(1, Math.floor((database.maxConnections || DEFAULT_CONNECTIONS) / realms));
    database.minConnections = Math.floor((database.minConnections ?? 0) / realms);
  }
}

/** `keep` leaves the variable in place: a test runner makes one runtime per test file in the same process. */
export function loadHostFiles(keep: boolean): { config: HostConfig; model: AppModel } {
  const config = JSON.parse(configText(keep)) as HostConfig;
  const model = JSON.parse(readFileSync(config.modelFile, "utf8")) as AppModel;
  if (model.formatVersion !== 1) {
    throw new Error(
      `failed to initialize runtime: ${config.modelFile} was written by another version of groundwork; run \`groundwork check\` again`,
    );
  }
  if (config.cors) model.app.globalCors = config.cors;
  if (!keep) shareConnections(config);
  return { config, model };
}
