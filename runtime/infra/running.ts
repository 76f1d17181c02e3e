// Where the databases of an app are, for somebody who looks at them beside it. The embedded one tells its address in
// a file of the state folder, which only its owner can enter; the state lock says whether that file is still true.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "../config";
import type { AppModel } from "../model";
import { addressesAt } from "./database-url";
import { InfraError } from "./errors";
import { readInfraConfig, settleTls } from "./infra-config";
import type { Holder } from "./state-lock";

export interface RunningDatabases {
  /** The process that holds the state folder. */
  pid: number;
  databases: HostConfig["databases"];
}

const fileOf = (stateDir: string): string => join(stateDir, "databases.json");

/** Readable by its owner alone: where there are no Unix sockets the addresses hold the password. */
export function tellAddresses(stateDir: string, databases: HostConfig["databases"]): void {
  const file = fileOf(stateDir);
  const draft = `${file}.${process.pid}`;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(draft, JSON.stringify({ pid: process.pid, databases } satisfies RunningDatabases), { mode: 0o600 });
  renameSync(draft, file);
}

export const forgetAddresses = (stateDir: string): void => rmSync(fileOf(stateDir), { force: true });

/**
 * What the holder of the state lock has told.
 * @throws InfraError when it has not told yet
 */
export function addressesOf(stateDir: string, holder: Holder | undefined): HostConfig["databases"] {
  const told = existsSync(fileOf(stateDir))
    ? (JSON.parse(readFileSync(fileOf(stateDir), "utf8")) as RunningDatabases)
    : undefined;
  if (told && (holder === undefined || told.pid === holder.pid)) return told.databases;
  throw new InfraError(
    `process ${holder?.pid ?? "?"} uses the state in ${stateDir} and has not opened its database yet\n  Wait until it serves, then try again.`,
  );
}

/** Databases of a server that the environment names; undefined when the embedded one is in use. */
export async function serverDatabases(
  env: NodeJS.ProcessEnv,
  model: () => Promise<Pick<AppModel, "databases">>,
): Promise<HostConfig["databases"] | undefined> {
  if (env.ENCORE_INFRA_CONFIG_PATH) return settleTls(readInfraConfig(env.ENCORE_INFRA_CONFIG_PATH, env).databases);
  if (!env.DATABASE_URL) return undefined;
  return addressesAt(
    env.DATABASE_URL,
    (await model()).databases.map(({ name }) => name),
  );
}
