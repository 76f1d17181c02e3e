// `groundwork run --watch`. A change is parsed and bundled while the old process serves; the new one takes over when it
// listens (app-swap.ts). A change while that happens asks for one more round, never for two at once. A broken build, or one
// that ends before it serves, prints its errors and leaves the old process alone (B-42).
import { extname, relative } from "node:path";
import { type FSWatcher, watch as watchFiles } from "chokidar";
import { startInfra } from "../infra";
import type { AppStart } from "../watch-child";
import { findAppRoot, stateDirOf } from "./app-root";
import { AppSwap } from "./app-swap";
import { bundleApp } from "./bundle-app";
import { dim, say, sayError, sayParseErrors, step } from "./console";
import { listenFrom } from "./environment";
import { makeHostConfig } from "./host-config";
import { hostFile } from "../host-files";
import { parseOptions } from "./command-input";
import { ParseFailure, type ParsedApp, Parser } from "./parse-app";
import type { RunOptions } from "./run";
import { migrateAll } from "./serve";

const watchedExtensions = new Set([".sql", ".app", ".cue", ".ts", ".js", ".tsx", ".jsx", ".mts", ".mjs", ".cjs", ".cts"]);
const ignored = /(^|\/)(node_modules|encore\.gen|dist|__tests__|\.[^/]+)(\/|$)/;
const settleMs = 20;

const isWatched = (file: string): boolean => watchedExtensions.has(extname(file)) && !ignored.test(file) && !/\.(test|spec)\.[jt]s$/.test(file);

class Watcher {
  #round: Promise<void> | undefined;
  #changed = false;
  #hasServed = false;

  constructor(
    private readonly build: () => Promise<AppStart>,
    private readonly app: AppSwap,
    /** Called when the first build serves. */
    private readonly onServing: (port: number) => void,
  ) {}

  async rebuild(): Promise<void> {
    this.#changed = true;
    this.#round ??= this.#rounds();
    await this.#round;
  }

  async #rounds(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      await this.#rebuildOnce();
    }
    this.#round = undefined;
  }

  async #rebuildOnce(): Promise<void> {
    try {
      const port = await step(this.#hasServed ? "app replaced" : "app started", async () => {
        const found = await this.app.swap(await this.build());
        if (found === undefined) throw new Error("the app ended before it served");
        return found;
      });
      if (!this.#hasServed) this.onServing(port);
      this.#hasServed = true;
    } catch (error) {
      if (error instanceof ParseFailure) sayParseErrors(error.errors);
      else if (error instanceof Error) sayError(error.message);
      else throw error;
      say(dim(this.app.isServing ? "the last good build goes on serving" : "the next change tries again"));
    }
  }
}

/**
 * Calls `rebuild` after changes of sources below `root`; resolves when it sees them. By chokidar: node's own recursive watch ends the process
 * when a folder that it has just seen is gone again (node 20), which writing encore.gen/ brings about.
 */
async function onChange(root: string, stateDir: string, rebuild: () => void): Promise<FSWatcher> {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watchFiles(root, { ignoreInitial: true, ignored: (path) => path === stateDir || ignored.test(relative(root, path)) });
  watcher.on("all", (_event, path) => {
    if (!isWatched(relative(root, path))) return;
    clearTimeout(timer);
    timer = setTimeout(rebuild, settleMs);
  });
  watcher.on("error", (error) => sayError(`cannot watch everything: ${error instanceof Error ? error.message : String(error)}`));
  await new Promise<void>((resolve) => void watcher.once("ready", resolve));
  return watcher;
}

/** Serves and rebuilds until SIGINT or SIGTERM. */
export async function watch(options: RunOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const root = findAppRoot(options.app);
  const stateDir = stateDirOf(root, env);
  const listen = listenFrom(options.port, env);
  const parser = new Parser(root, parseOptions(options));
  const first = await parser.parse();
  const infra = await startInfra({ appRoot: root, stateDir, env, model: first.model, port: listen.port, log: (line) => say(dim(`  ${line}`)) });
  const app = new AppSwap(root, { ENCORE_RUNTIME_LOG: "error", ...env });
  const build = async (): Promise<AppStart> => {
    const parsed: ParsedApp = await parser.parse();
    const [bundle] = await Promise.all([bundleApp(root), migrateAll(root, parsed.model, infra.databases)]);
    const config = makeHostConfig({ root, stateDir, env, app: parsed, listen, infra });
    return { bundle, env: { ENCORE_RUNTIME_LIB: hostFile("native.cjs"), GROUNDWORK_HOST_CONFIG: JSON.stringify(config) } };
  };
  const watcher = new Watcher(build, app, (port) => say(`watching ${root}, serving http://${listen.host}:${port}`));
  const files = await onChange(root, stateDir, () => void watcher.rebuild());
  await watcher.rebuild();
  parser.warmUp();
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await files.close();
  parser.close();
  await app.close();
  await infra.stop();
  process.exit(0);
}
