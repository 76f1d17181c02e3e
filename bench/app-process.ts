// The app in a process of its own, as a benchmark drives it: started, asked over HTTP, stopped.
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { root } from "../runtime/http/__tests__/support/repository-root";

export interface AppProcess {
  readonly child: ChildProcess;
  readonly baseUrl: string;
  /** Posts JSON and answers JSON; throws for any other answer than success. */
  post(path: string, body: object): Promise<Record<string, unknown>>;
  /** As an orchestrator stops it: asked first, killed after 15 seconds. */
  stop(): Promise<void>;
}

/** Resolves with the first group of `pattern` in what the process writes; rejects when it ends before. */
export function textOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const look = (chunk: Buffer): void => {
      text += chunk.toString();
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) resolve(found);
      text = text.slice(-10_000);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code) => reject(new Error(`the app ended with ${code}:\n${text}`)));
  });
}

/** Starts the app of a folder, with nothing limited and little logged. `nodeArgs` go to Node, `env` over this process's own. */
export function spawnApp(app: string, nodeArgs: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const settings = {
    ...process.env,
    // Of the test's process alone: an app does not start with it.
    PASSWORD_HASH_COST: undefined,
    GROUNDWORK_STATE_DIR: join(app, ".groundwork"),
    LIMIT_SCALE: "1000000",
    ENCORE_RUNTIME_LOG: "error",
    LOG_LEVEL: "error",
    ...env,
  };
  const args = [...nodeArgs, join(root, "dist/cli.js"), "run", "--app", app, "--port", "0"];
  return spawn(process.execPath, args, { env: settings, stdio: ["ignore", "pipe", "pipe"] });
}

/** Resolves when it serves. */
export async function served(child: ChildProcess): Promise<AppProcess> {
  const baseUrl = await textOf(child, /serving (http:\/\/\S+)/);
  return {
    child,
    baseUrl,
    async post(path, body) {
      const response = await fetch(baseUrl + path, { method: "POST", body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as Record<string, unknown>;
    },
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), 15_000).unref();
      }),
  };
}
