// Runs an Encore app on this host in a process of its own: parse, generate, bundle, start. For the parity kit, the
// robustness test and the benchmark.
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import type { HostConfig } from "../../../config";
import { bundleApp } from "../../../commands/bundle-app";
import { writeGenerated } from "../../../generate";
import { hostFile } from "../../../host-files";
import { parseApp } from "../../../parse";
import { freePort } from "./free-port";
import { root } from "./repository-root";

const workDir = join(root, ".groundwork", "test-apps");
const START_LIMIT_MS = 60_000;
const POLL_MS = 5;

export interface AppProcess {
  port: number;
  child: ChildProcess;
  /** What it wrote to stderr so far. */
  log(): string;
  stop(): Promise<void>;
}

export interface AppOptions {
  config?: Partial<HostConfig>;
  env?: NodeJS.ProcessEnv;
  /** Sends the log nowhere instead of keeping it. */
  discardLog?: boolean;
}

/** A run of tests has built the host already (vitest/global-setup.ts). */
async function nativeModule(dir: string): Promise<string> {
  if (process.env.VITEST !== undefined) return hostFile("native.cjs");
  const outfile = join(dir, "native.cjs");
  const entryPoints = [join(root, "runtime/module/index.ts")];
  await build({
    entryPoints,
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    packages: "external",
    format: "cjs",
    sourcemap: "linked",
    logLevel: "silent",
  });
  return outfile;
}

/** A copy of the app with the repository's packages, so that nothing is generated into the sources. */
function copyApp(appDir: string): string {
  mkdirSync(workDir, { recursive: true });
  const copy = mkdtempSync(join(workDir, "app-"));
  cpSync(appDir, copy, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

function hostConfig(app: string, modelFile: string, port: number): HostConfig {
  return {
    appRoot: app,
    stateDir: join(app, ".groundwork"),
    modelFile,
    environment: { name: "local", type: "development", cloud: "local" },
    appId: "",
    apiBaseUrl: `http://127.0.0.1:${port}`,
    deployId: "run_aaaaaaaaaaaaaaaaaaaa",
    build: { revision: "", uncommittedChanges: true },
    listen: { host: "127.0.0.1", port },
    databases: {},
    secrets: {},
    objectsDir: join(app, ".groundwork/objects"),
    hostsGateway: true,
    workerThreads: 1,
    edgeHeaders: {},
    includeInternalMessage: true,
    logFormat: "json",
    gracefulShutdownMs: 5000,
  };
}

/** Waits until `child` answers anything at all on `port`. Throws with what `log` holds when it ends or takes a minute. */
export async function firstAnswer(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const answered = await new Promise<boolean>((resolve) => {
      const request = get({ port, host: "127.0.0.1", path: "/__encore/healthz", agent: false }, (response) => {
        response.resume();
        resolve(true);
      });
      request.once("error", () => resolve(false));
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`the app did not start (exit code ${child.exitCode}):\n${log()}`);
}

/** A built app that can be started any number of times on the same port, one process at a time. */
export interface PreparedApp {
  port: number;
  /** `more` is added to the environment it was prepared with. */
  start(more?: NodeJS.ProcessEnv): Promise<AppProcess>;
  /** Removes what was built. */
  remove(): void;
}

export async function prepareApp(appDir: string, options: AppOptions = {}): Promise<PreparedApp> {
  const app = copyApp(appDir);
  const parsed = parseApp(app);
  if (!parsed.ok) throw new Error(parsed.errors.map((e) => JSON.stringify(e)).join("\n"));
  writeGenerated(parsed.model, app);
  const native = await nativeModule(app);
  // Last: it ends esbuild's own process.
  const bundle = await bundleApp(app);
  const port = await freePort();
  const modelFile = join(app, "model.json");
  writeFileSync(modelFile, JSON.stringify(parsed.model));
  const config = { ...hostConfig(app, modelFile, port), ...options.config };
  const env = {
    ...process.env,
    // Of the test's process alone: an app does not start with it.
    PASSWORD_HASH_COST: undefined,
    NODE_ENV: "development",
    ENCORE_RUNTIME_LOG: "error",
    ...options.env,
    ENCORE_RUNTIME_LIB: native,
    GROUNDWORK_HOST_CONFIG: JSON.stringify(config),
  };
  return {
    port,
    start: (more) => launch({ app, bundle, port, env: { ...env, ...more } }, options.discardLog ?? false),
    remove: () => rmSync(app, { recursive: true, force: true }),
  };
}

interface Launch {
  app: string;
  bundle: string;
  port: number;
  env: NodeJS.ProcessEnv;
}

async function launch({ app, bundle, port, env }: Launch, discardLog: boolean): Promise<AppProcess> {
  const child = spawn(process.execPath, ["--enable-source-maps", bundle], {
    cwd: app,
    env,
    stdio: ["ignore", "inherit", discardLog ? "ignore" : "pipe"],
  });
  let text = "";
  child.stderr?.on("data", (data: Buffer) => (text += data.toString()));
  const log = (): string => text;
  await firstAnswer(child, port, log);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    port,
    child,
    log,
    async stop() {
      child.kill("SIGTERM");
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 3000))]);
      if (child.exitCode === null) child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Builds and starts an app; `stop` also removes what was built. */
export async function startApp(appDir: string, options: AppOptions = {}): Promise<AppProcess> {
  const prepared = await prepareApp(appDir, options);
  const started = await prepared.start();
  return {
    ...started,
    async stop() {
      await started.stop();
      prepared.remove();
    },
  };
}
