// `groundwork run --watch`. Two states: serving (a child runs the app) and rebuilding (the old child goes on
// serving until the new build stands). A change while rebuilding asks for one more rebuild, never for two at
// once. A broken build prints its errors and leaves the old child alone (B-42).
import { type ChildProcess, spawn } from "node:child_process";
import { watch as watchFolder } from "node:fs";
import { extname } from "node:path";
import { startInfra } from "../infra";
import { findAppRoot, stateDirOf } from "./app-root";
import { BundleError, bundleApp } from "./bundle-app";
import { dim, say, sayError, sayParseErrors, step } from "./console";
import { listenFrom } from "./environment";
import { makeHostConfig } from "./host-config";
import { hostFile } from "../host-files";
import { ParseFailure, parseForCommand } from "./parse-app";
import type { RunOptions } from "./run";
import { migrateAll } from "./serve";

const watchedExtensions = new Set([".sql", ".app", ".cue", ".ts", ".js", ".tsx", ".jsx", ".mts", ".mjs", ".cjs", ".cts"]);
const ignored = /(^|\/)(node_modules|encore\.gen|dist|__tests__|\.[^/]+)(\/|$)/;
const settleMs = 50;

const isWatched = (file: string): boolean => watchedExtensions.has(extname(file)) && !ignored.test(file) && !/\.(test|spec)\.[jt]s$/.test(file);

function stop(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

class Watcher {
  #child: ChildProcess | undefined;
  #rebuilding: Promise<void> | undefined;
  #changed = false;

  constructor(
    private readonly root: string,
    private readonly start: () => Promise<ChildProcess>,
  ) {}

  async rebuild(): Promise<void> {
    this.#changed = true;
    this.#rebuilding ??= this.#rebuildWhileChanged();
    await this.#rebuilding;
  }

  async #rebuildWhileChanged(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      await this.#rebuildOnce();
    }
    this.#rebuilding = undefined;
  }

  async #rebuildOnce(): Promise<void> {
    try {
      await parseForCommand(this.root);
      await bundleApp(this.root);
    } catch (error) {
      if (error instanceof ParseFailure) sayParseErrors(error.errors);
      else if (error instanceof BundleError) sayError(error.message);
      else throw error;
      if (this.#child) say(dim("the last good build goes on serving"));
      return;
    }
    await step("app replaced", async () => {
      await stop(this.#child);
      this.#child = await this.start();
    });
  }

  async close(): Promise<void> {
    await stop(this.#child);
  }
}

function onChange(root: string, rebuild: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  watchFolder(root, { recursive: true }, (_event, file) => {
    if (file === null || !isWatched(file)) return;
    clearTimeout(timer);
    timer = setTimeout(rebuild, settleMs);
  });
}

/** Serves and rebuilds until SIGINT or SIGTERM. */
export async function watch(options: RunOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const root = findAppRoot(options.app);
  const stateDir = stateDirOf(root, env);
  const listen = listenFrom(options.port, env);
  const first = await parseForCommand(root);
  const infra = await startInfra({ appRoot: root, stateDir, env, model: first.model, port: listen.port, log: (line) => say(dim(`  ${line}`)) });
  const watcher = new Watcher(root, async () => {
    const app = await parseForCommand(root);
    await migrateAll(root, app.model, infra.databases);
    const config = makeHostConfig({ root, stateDir, env, app, listen, infra });
    return spawn(process.execPath, ["--enable-source-maps", await bundleApp(root)], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ENCORE_RUNTIME_LOG: "error", ...env, ENCORE_RUNTIME_LIB: hostFile("native.cjs"), GROUNDWORK_HOST_CONFIG: JSON.stringify(config) },
    });
  });
  await watcher.rebuild();
  say(`watching ${root}, serving http://${listen.host}:${listen.port}`);
  onChange(root, () => void watcher.rebuild());
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await watcher.close();
  await infra.stop();
  process.exit(0);
}
