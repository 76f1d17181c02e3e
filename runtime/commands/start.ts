// `groundwork start`: a folder that `groundwork build` made, run on what its surroundings give: the infra config or
// DATABASE_URL. Nothing is parsed or bundled, and no database is made up: a server that forgot its database must not start.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { needsHostDatabase, startInfra } from "../infra";
import type { AppModel } from "../model";
import { stateDirOf, UsageError } from "./app-root";
import { builtFiles, type BuildManifest } from "./built-app";
import { dim, say, step } from "./console";
import { listenFrom } from "./environment";
import { serve } from "./serve";

const imagePort = 8080;

export interface StartOptions {
  /** The built folder. */
  dir: string;
  port?: string;
}

export function readManifest(dir: string): BuildManifest {
  const file = join(dir, builtFiles.manifest);
  if (!existsSync(file)) throw new UsageError(`${dir} is no built app: \`groundwork build\` makes one`);
  const manifest = JSON.parse(readFileSync(file, "utf8")) as BuildManifest;
  if ((manifest.formatVersion as number) !== 1)
    throw new UsageError(`${dir} was built by another version of groundwork: build it again`);
  return manifest;
}

/** ENCORE_INFRA_CONFIG_PATH, else DATABASE_URL, else the folder's own infra.config.json. */
export function useOwnInfraConfig(dir: string, env: NodeJS.ProcessEnv): void {
  const own = join(dir, builtFiles.infraConfig);
  if (!env.ENCORE_INFRA_CONFIG_PATH && !env.DATABASE_URL && existsSync(own)) env.ENCORE_INFRA_CONFIG_PATH = own;
}

function chooseInfra(dir: string, model: AppModel, env: NodeJS.ProcessEnv): string {
  useOwnInfraConfig(dir, env);
  if (env.ENCORE_INFRA_CONFIG_PATH) return `infrastructure of ${env.ENCORE_INFRA_CONFIG_PATH}`;
  if (env.DATABASE_URL) return "Postgres of DATABASE_URL";
  if (needsHostDatabase(model, { redisUrl: env.REDIS_URL })) return "Postgres (embedded), for the app's topics";
  if (model.databases.length === 0) return "nothing to bring up";
  throw new UsageError(
    `the app has a database and nothing says where: put infra.config.json into ${dir}, or set ENCORE_INFRA_CONFIG_PATH or DATABASE_URL`,
  );
}

/** Runs until the app exits the process. `env` is the process's own: what is not set is set as in production. */
export async function start(options: StartOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const root = resolve(options.dir);
  const { build } = readManifest(root);
  const modelFile = join(root, builtFiles.model);
  const model = JSON.parse(readFileSync(modelFile, "utf8")) as AppModel;
  const stateDir = stateDirOf(root, env);
  env.NODE_ENV ??= "production";
  if (env.ENCORE_INFRA_CONFIG_PATH) env.ENCORE_INFRA_CONFIG_PATH = resolve(env.ENCORE_INFRA_CONFIG_PATH);
  const listen = listenFrom(options.port, env, imagePort);
  process.chdir(root);
  const infra = await step(chooseInfra(root, model, env), () =>
    startInfra({ appRoot: root, stateDir, env, model, log: (line) => say(dim(`  ${line}`)) }),
  );
  await serve({
    root,
    stateDir,
    env,
    app: { model, modelFile },
    listen,
    infra,
    build,
    bundle: join(root, builtFiles.bundle),
    native: join(root, builtFiles.native),
  });
}
