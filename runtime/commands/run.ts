// `groundwork run`: infrastructure up, app parsed, bundled, migrated and served, all in this process but the
// database. With --watch the app runs in a child that is replaced after each change (watch.ts).
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { startInfra } from "../infra";
import { processHooks } from "../process-hooks";
import { findAppRoot, stateDirOf } from "./app-root";
import { bundleApp, preloadFile } from "./bundle-app";
import { dim, say, step } from "./console";
import { listenFrom } from "./environment";
import { hostFile } from "../host-files";
import { parseOptions } from "./command-input";
import { parseForCommand } from "./parse-app";
import { watchAncestors } from "./ancestors";
import { serve } from "./serve";

export interface RunOptions {
  /** Accept types beyond Encore's. */
  extended?: boolean;
  app?: string;
  port?: string;
  /** A Node script started once the app answers; it gets BASE_URL and GROUNDWORK_STATE_DIR. */
  afterStart?: string;
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

/** What the second step of a start is called. */
function databasesFrom(env: NodeJS.ProcessEnv): string {
  if (env.ENCORE_INFRA_CONFIG_PATH) return `infrastructure of ${env.ENCORE_INFRA_CONFIG_PATH}`;
  return env.DATABASE_URL ? "Postgres of DATABASE_URL" : "Postgres (embedded)";
}

/** Loads the packages of the app and of the native module while the database starts; a failure shows when the app is loaded. */
function preloaded(root: string): (bundle: string) => Promise<string> {
  return async (bundle) => {
    createRequire(import.meta.url)(hostFile("native.cjs"));
    await import(pathToFileURL(preloadFile(root)).href).catch(() => undefined);
    return bundle;
  };
}

/** Runs until the app exits the process. */
export async function run(options: RunOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const root = findAppRoot(options.app);
  const stateDir = stateDirOf(root, env);
  const listen = listenFrom(options.port, env);
  process.chdir(root);
  env.ENCORE_RUNTIME_LOG ??= "error"; // as under `encore run` (B-40): a line per request is for those who ask
  watchAncestors(env);
  const app = await step("app parsed", () => parseForCommand(root, parseOptions(options)));
  const [infra, bundle] = await Promise.all([
    step(databasesFrom(env), () =>
      startInfra({
        appRoot: root,
        stateDir,
        env,
        model: app.model,
        port: listen.port,
        log: (line) => say(dim(`  ${line}`)),
      }),
    ),
    bundleApp(root).then(preloaded(root)),
  ]);
  await serve({
    root,
    stateDir,
    env,
    app,
    listen,
    infra,
    bundle,
    native: hostFile("native.cjs"),
    onServing: (baseUrl) => {
      if (options.afterStart) startAfterScript(options.afterStart, root, stateDir, baseUrl);
    },
  });
}
