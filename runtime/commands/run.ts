// `groundwork run`: infrastructure up, app parsed, bundled, migrated and served, all in this process but the
// database. With --watch the app runs in a child that is replaced after each change (watch.ts).
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { migrate, startInfra } from "../infra";
import type { AppModel } from "../model";
import { processHooks } from "../process-hooks";
import { findAppRoot, stateDirOf } from "./app-root";
import { bundleApp } from "./bundle-app";
import { dim, say, step } from "./console";
import { listenFrom } from "./environment";
import { makeHostConfig } from "./host-config";
import { hostFile } from "./host-files";
import { parseForCommand } from "./parse-app";
import { watchAncestors } from "./ancestors";

export interface RunOptions {
  app?: string;
  port?: string;
  /** A Node script started once the app answers; it gets BASE_URL and GROUNDWORK_STATE_DIR. */
  afterStart?: string;
}

type Infra = Awaited<ReturnType<typeof startInfra>>;

/** Applies what is new of every database's migrations; says nothing when nothing was. */
export async function migrateAll(root: string, model: AppModel, databases: Infra["databases"]): Promise<void> {
  for (const database of model.databases) {
    const target = databases[database.name];
    if (!database.migrationsDir || !target) continue;
    const { applied } = await migrate(target.url, join(root, database.migrationsDir), { log: (line) => say(dim(`  ${line}`)) });
    if (applied.length) say(`  ${database.name}: ${applied.length} migration${applied.length === 1 ? "" : "s"} applied`);
  }
}

function startAfterScript(script: string, root: string, stateDir: string, baseUrl: string): void {
  const child = spawn(process.execPath, [resolve(root, script)], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, BASE_URL: baseUrl, GROUNDWORK_STATE_DIR: stateDir },
  });
  processHooks().beforeExit.unshift(async () => {
    child.kill("SIGTERM");
  });
}

/** Runs until the app exits the process. */
export async function run(options: RunOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const root = findAppRoot(options.app);
  const stateDir = stateDirOf(root, env);
  const listen = listenFrom(options.port, env);
  process.chdir(root);
  env.ENCORE_RUNTIME_LOG ??= "error"; // as under `encore run` (B-40): a line per request is for those who ask
  watchAncestors(env);
  const app = await step("app parsed", () => parseForCommand(root));
  const [infra, bundle] = await Promise.all([
    step(env.DATABASE_URL ? "Postgres of DATABASE_URL" : "Postgres (embedded)", () => startInfra({ appRoot: root, stateDir, env, model: app.model, port: listen.port, log: (line) => say(dim(`  ${line}`)) })),
    bundleApp(root),
  ]);
  processHooks().beforeExit.push(() => infra.stop());
  try {
    await step("migrations checked", () => migrateAll(root, app.model, infra.databases));
    const config = makeHostConfig({ root, stateDir, env, app, listen, infra });
    processHooks().onListening.push((port) => {
      const baseUrl = `http://${listen.host === "0.0.0.0" ? "localhost" : listen.host}:${port}`;
      say(`✓ serving ${baseUrl}`);
      if (options.afterStart) startAfterScript(options.afterStart, root, stateDir, baseUrl);
    });
    process.env.GROUNDWORK_HOST_CONFIG = JSON.stringify(config);
    process.env.ENCORE_RUNTIME_LIB = hostFile("native.cjs");
    process.setSourceMapsEnabled(true); // the app's errors name its own files, not the bundle
    await import(pathToFileURL(bundle).href);
  } catch (error) {
    await infra.stop();
    throw error;
  }
}
