// Brings up what the app needs before it starts. Where the databases are is decided in this order:
// ENCORE_INFRA_CONFIG_PATH, DATABASE_URL, the embedded Postgres. Only the embedded one locks the state folder:
// with a server of their own, several processes may run the same app.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "../config";
import type { AppModel } from "../model";
import { databasesAt } from "./database-url";
import { startEmbedded } from "./embedded-process";
import { InfraError } from "./errors";
import { hostDatabase, needsHostDatabase } from "./host-database";
import { type InfraConfig, readInfraConfig, settleTls } from "./infra-config";
import { addressesOf, forgetAddresses, serverDatabases, tellAddresses } from "./running";
import { refuseUnfinishedRestores } from "./unfinished-restore";
import { acquireLock, type Holder, LockedError, type StateLock } from "./state-lock";

export interface InfraOptions {
  appRoot: string;
  /** Absolute. */
  stateDir: string;
  env: NodeJS.ProcessEnv;
  model: AppModel;
  /** The app's port, told to whoever finds the state locked. */
  port?: number;
  /** Also on databases that a restore has left in the middle. */
  isRestore?: boolean;
  log(line: string): void;
}

export interface Infra {
  databases: HostConfig["databases"];
  /** The host's own, where the app's topics have no other store. */
  hostDatabase?: { url: string };
  redisUrl?: string;
  /** What ENCORE_INFRA_CONFIG_PATH said, when it was set. */
  config?: InfraConfig;
  /** Folder of the embedded database, when it is the one in use. */
  dataDir?: string;
  /** Resolves when the embedded database has written everything out and its process has ended. */
  stop(): Promise<void>;
}

function lockedMessage(stateDir: string, holder: Holder | undefined): string {
  const who = holder
    ? `process ${holder.pid} since ${holder.since}${holder.port === undefined ? "" : `, port ${holder.port}`}`
    : "another process that does not answer";
  const remedy = holder
    ? `Use that one${holder.port === undefined ? "" : ` (http://localhost:${holder.port})`}, stop it (kill ${holder.pid})`
    : "Stop it";
  return `the state in ${stateDir} is in use by ${who}\n  ${remedy}, or start this one with a state of its own: GROUNDWORK_STATE_DIR=.groundwork-2`;
}

async function lockState({ stateDir, appRoot, port }: InfraOptions): Promise<StateLock> {
  const holder: Holder = {
    pid: process.pid,
    since: new Date().toISOString(),
    appRoot,
    ...(port === undefined ? {} : { port }),
  };
  return acquireLock(stateDir, "state", holder).catch((error: unknown) => {
    if (error instanceof LockedError) throw new InfraError(lockedMessage(stateDir, error.holder));
    throw error;
  });
}

/** Splits what a server has into the app's databases and the host's own. */
function shared(databases: HostConfig["databases"], hasOwn: boolean): Pick<Infra, "databases" | "hostDatabase"> {
  if (!hasOwn) return { databases };
  const { [hostDatabase]: own, ...rest } = databases;
  return { databases: rest, ...(own ? { hostDatabase: own } : {}) };
}

async function startEmbeddedInfra(options: InfraOptions, hasOwn: boolean): Promise<Infra> {
  const names = hasOwn ? [hostDatabase] : options.model.databases.map((database) => database.name);
  if (names.length === 0) return { databases: {}, stop: () => Promise.resolve() };
  const lock = await lockState(options);
  try {
    const dataDir = join(options.stateDir, "postgres");
    const postgres = await startEmbedded({ dataDir, databases: names });
    void postgres.ended.then((message) => {
      options.log(`${message}: stopping`);
      process.kill(process.pid, "SIGTERM");
    });
    const databases = Object.fromEntries(
      names.map((name) => [name, { url: postgres.url(name), ownerUrl: postgres.ownerUrl(name) }]),
    );
    tellAddresses(options.stateDir, databases);
    return {
      dataDir,
      ...shared(databases, hasOwn),
      stop: async () => {
        forgetAddresses(options.stateDir);
        await postgres.stop();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** An app whose services run in several processes has no one folder: `openBroker` then asks for a store that all share. */
const isWhole = ({ hostedServices }: InfraConfig, { services }: AppModel): boolean =>
  hostedServices === undefined || services.every(({ name }) => hostedServices.includes(name));

async function configuredInfra(options: InfraOptions, path: string, redisUrl: string | undefined): Promise<Infra> {
  const { env, model, stateDir, log } = options;
  const config = readInfraConfig(path, env);
  const given = { databases: config.databases, redisUrl: config.redisUrl ?? redisUrl };
  const needsOwn = isWhole(config, model) && needsHostDatabase(model, given);
  if (needsOwn)
    log(`topics are kept in ${stateDir}: with redis or sql_servers in ${path} several processes share them`);
  const own = needsOwn ? await startEmbeddedInfra(options, true) : undefined;
  return {
    config,
    databases: await settleTls(config.databases),
    ...(own?.hostDatabase ? { hostDatabase: own.hostDatabase } : {}),
    ...(given.redisUrl ? { redisUrl: given.redisUrl } : {}),
    stop: () => own?.stop() ?? Promise.resolve(),
  };
}

/**
 * Starts or finds the app's infrastructure.
 * @throws InfraError with a remedy: state in use, server unreachable, config file wrong, a restore that has not ended
 */
export async function startInfra(options: InfraOptions): Promise<Infra> {
  const infra = await bringUp(options);
  if (options.isRestore) return infra;
  const own: Infra["databases"] = infra.hostDatabase ? { [hostDatabase]: infra.hostDatabase } : {};
  try {
    await refuseUnfinishedRestores({ ...infra.databases, ...own });
    return infra;
  } catch (error) {
    await infra.stop();
    throw error;
  }
}

async function bringUp(options: InfraOptions): Promise<Infra> {
  const { env, model, stateDir } = options;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const redis = env.REDIS_URL ? { redisUrl: env.REDIS_URL } : {};
  if (env.ENCORE_INFRA_CONFIG_PATH) return configuredInfra(options, env.ENCORE_INFRA_CONFIG_PATH, redis.redisUrl);
  const needsOwn = needsHostDatabase(model, redis);
  if (env.DATABASE_URL) {
    const names = needsOwn ? [hostDatabase] : model.databases.map((database) => database.name);
    const databases = await databasesAt(env.DATABASE_URL, names);
    return { ...shared(databases, needsOwn), ...redis, stop: () => Promise.resolve() };
  }
  return { ...(await startEmbeddedInfra(options, needsOwn)), ...redis };
}

export interface Beside extends Pick<InfraOptions, "appRoot" | "stateDir" | "env" | "log"> {
  /** Asked for only where the running app cannot tell the names. */
  model(): Promise<AppModel>;
}

export interface DatabasesBeside extends Pick<Infra, "databases" | "hostDatabase" | "stop"> {
  /** They are those of an app that runs on this state folder. */
  isOfRunning?: true;
}

/**
 * The app's databases for somebody who looks at them: those of its server, those of the embedded Postgres that runs, else
 * the embedded one, opened for the caller alone. Nothing is made and nothing migrated.
 * @throws InfraError when there is no database yet, or the one there is does not open
 */
export async function databasesBeside(options: Beside): Promise<DatabasesBeside> {
  const { stateDir, env, appRoot, log } = options;
  const server = await serverDatabases(env, options.model);
  if (server) return { databases: server, stop: () => Promise.resolve() };
  if (!existsSync(join(stateDir, "postgres")))
    throw new InfraError(
      `there is no database in ${stateDir} yet\n  Start the app once (npm start, or groundwork run), or name a server with DATABASE_URL.`,
    );
  const holder: Holder = { pid: process.pid, since: new Date().toISOString(), appRoot };
  try {
    await (await acquireLock(stateDir, "state", holder)).release();
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return { databases: addressesOf(stateDir, error.holder), isOfRunning: true, stop: () => Promise.resolve() };
  }
  const model = await options.model();
  return startEmbeddedInfra({ appRoot, stateDir, env, model, log }, needsHostDatabase(model, {}));
}
