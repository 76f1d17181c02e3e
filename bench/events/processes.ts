// The processes of the events benchmark: the app in a copy, with a service that emits and one that consumes, and rivals.
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import type { Figures } from "./waits";

const STOP_LIMIT_MS = 15_000;

export interface App {
  readonly pid: number;
  post(path: string, body: object): Promise<unknown>;
  stop(): Promise<void>;
}

/** What a process says that matches; rejects with its last words when it ends before. */
function said(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const look = (chunk: Buffer): void => {
      text = (text + chunk.toString()).slice(-10_000);
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code) => reject(new Error(`a process ended with ${code}:\n${text}`)));
  });
}

export function makeCopy(): { folder: string; remove: () => void } {
  const folder = copyOfApp();
  cpSync(join(root, "bench/events/__tests__/fixtures/load"), folder, { recursive: true });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Starts the app with all services, or with those that are named. `profile`: a folder for a CPU profile. */
export async function startApp(
  folder: string,
  databaseUrl: string,
  { services, profile }: { services?: string[]; profile?: string | undefined } = {},
): Promise<App> {
  const hosting = services && { hosted_services: services, hosted_gateways: ["api-gateway"] };
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    GROUNDWORK_STATE_DIR: join(folder, ".groundwork"),
    LIMIT_SCALE: "1000000",
    ENCORE_RUNTIME_LOG: "error",
    LOG_LEVEL: "error",
    // Development keeps two lines of each event for `groundwork trace`, and lets a login be a superuser, which production refuses.
    GROUNDWORK_ENV_TYPE: "production",
    MasterKey: "the-master-key-of-a-benchmark-protects-nothing",
    ...(hosting ? { ENCORE_PROCESS_CONFIG: Buffer.from(JSON.stringify(hosting)).toString("base64") } : {}),
  };
  const profiling = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const args = [...profiling, join(root, "dist/cli.js"), "run", "--app", folder, "--port", "0"];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const baseUrl = await said(child, /serving (http:\/\/\S+)/);
  return {
    pid: child.pid ?? 0,
    post: async (path, body) => {
      const response = await fetch(baseUrl + path, { method: "POST", body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    },
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS).unref();
      }),
  };
}

/** One process of the rival emits, another one works; resolves with what the latter measured. */
export async function runRival(kind: string, url: string, count: number, perSecond: number): Promise<Figures> {
  const program = [join(root, "scripts/run-ts.mjs"), join(root, "bench/events/rival.ts"), kind];
  const start = (...args: string[]): ChildProcess =>
    spawn(process.execPath, [...program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const worker = start("work", url, String(count));
  try {
    const figures = said(worker, /^(\{.*\})$/m);
    figures.catch(() => undefined);
    await said(worker, /^(ready)$/m);
    const emitter = start("emit", url, String(count), String(perSecond));
    emitter.stderr?.pipe(process.stderr);
    return JSON.parse(await figures) as Figures;
  } finally {
    worker.kill("SIGKILL");
  }
}
