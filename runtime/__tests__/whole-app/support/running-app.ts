// The whole app as a person starts it: dist/cli.js in a process of its own, on a free port and a state folder of
// its own. For tests that need real processes, signals and restarts; endpoint tests use the vitest plugin.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import type { Template } from "../../../infra";

export interface RunningApp {
  baseUrl: string;
  process: ChildProcess;
  /** Everything printed so far, both streams. */
  output(): string;
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL to the process and all its descendants, at once. */
  killTree(): Promise<void>;
}

/** For a first start on a machine that is busy with other suites; an idle one needs about five seconds. */
const START_LIMIT_MS = 100_000;

const root = join(__dirname, "..", "..", "..", "..");

export function temporaryStateDir(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "gw-state-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A state folder whose database is migrated already: a copy of the template that the test files' own databases come from. */
export function migratedStateDir(): { path: string; remove(): void } {
  const state = temporaryStateDir();
  const template = inject("groundworkTestApp").templates.app as Template | undefined;
  if (template?.kind === "embedded") cpSync(template.dir, join(state.path, "postgres"), { recursive: true });
  return state;
}

function childrenOf(pid: number): number[] {
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid) found.push(Number(entry));
    } catch {
      // it ended between the listing and the look
    }
  }
  return found;
}

/** The process and everything below it, parents first (Linux). */
export function processTree(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(processTree)];
}

export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

/** Polls until `condition` holds; fails with `what` after `limitMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 90_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once("exit", (code) => resolve(code)));

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it had ended already
  }
}

/** Starts `groundwork run` of the app in `folder` on any free port and resolves when it serves. */
export async function startApp(
  stateDir: string,
  env: Record<string, string> = {},
  args: string[] = [],
  folder: string = root,
): Promise<RunningApp> {
  const child = spawn(process.execPath, [join(root, "dist", "cli.js"), "run", "--port", "0", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", GROUNDWORK_STATE_DIR: stateDir, ...env },
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const address = (): string | undefined => /serving (http:\/\/\S+)/.exec(text)?.[1];
  await until(
    "the app serves",
    () => {
      if (child.exitCode !== null) throw new Error(`the app ended with ${child.exitCode} before it served:\n${text}`);
      return address() !== undefined;
    },
    START_LIMIT_MS,
  ).catch((error: Error) => {
    kill(child.pid ?? 0);
    throw new Error(`${error.message}\n${text}`);
  });
  return {
    baseUrl: address() ?? "",
    process: child,
    output: () => text,
    stop: () => {
      child.kill("SIGTERM");
      return exitOf(child);
    },
    killTree: async () => {
      processTree(child.pid ?? 0)
        .reverse()
        .forEach(kill);
      await exitOf(child);
    },
  };
}
