// `groundwork run --watch`. A change is parsed and bundled while the old process serves; the new one takes over when it
// listens (app-swap.ts). A change while that happens asks for one more round, never for two at once, and ends a process that
// does not listen yet: it may never do. A broken build, or one that ends before it serves, prints its errors and leaves the
// old process alone (B-42).
import { startInfra } from "../infra";
import type { AppStart } from "../watch-child";
import { findAppRoot, stateDirOf } from "./app-root";
import { AppSwap } from "./app-swap";
import { bundleApp, bundledFoldersBeside } from "./bundle-app";
import { dim, say, sayError, sayParseErrors, step } from "./console";
import { listenFrom } from "./environment";
import { gracefulShutdownMs, makeHostConfig } from "./host-config";
import { hostFile } from "../host-files";
import { parseOptions } from "./command-input";
import { ParseFailure, type ParsedApp, Parser } from "./parse-app";
import type { RunOptions } from "./run";
import { migrateAll } from "./serve";
import { watchSources } from "./source-changes";

/** How long after its own limit a process that should end is killed. */
const killMarginMs = 2_000;

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
    this.app.abandon();
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
        if (found === undefined)
          throw new Error(this.#changed ? "not started: there is a newer change" : "the app ended before it served");
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

/** Serves and rebuilds until SIGINT or SIGTERM. */
export async function watch(options: RunOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const root = findAppRoot(options.app);
  const stateDir = stateDirOf(root, env);
  const listen = listenFrom(options.port, env);
  const parser = new Parser(root, parseOptions(options));
  const first = await parser.parse();
  const infra = await startInfra({
    appRoot: root,
    stateDir,
    env,
    model: first.model,
    port: listen.port,
    log: (line) => say(dim(`  ${line}`)),
  });
  const app = new AppSwap(root, { ENCORE_RUNTIME_LOG: "error", ...env }, gracefulShutdownMs(infra) + killMarginMs);
  const build = async (): Promise<AppStart> => {
    const parsed: ParsedApp = await parser.parse();
    const [bundle] = await Promise.all([bundleApp(root), migrateAll(root, parsed.model, infra, env)]);
    files.add(bundledFoldersBeside(root));
    const config = makeHostConfig({ root, stateDir, env, app: parsed, listen, infra });
    return {
      bundle,
      env: { ENCORE_RUNTIME_LIB: hostFile("native.cjs"), GROUNDWORK_HOST_CONFIG: JSON.stringify(config) },
    };
  };
  const watcher = new Watcher(build, app, (port) => say(`watching ${root}, serving http://${listen.host}:${port}`));
  const files = await watchSources(
    root,
    stateDir,
    () => void watcher.rebuild(),
    (reason) => sayError(`cannot watch everything: ${reason}`),
  );
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  void watcher.rebuild().then(() => parser.warmUp());
  await ended;
  await files.close();
  parser.close();
  await app.close();
  await infra.stop();
  process.exit(0);
}
