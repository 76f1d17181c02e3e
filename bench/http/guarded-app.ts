// The app of the guarded benchmarks, in a process of its own, with somebody signed in.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../runtime/http/__tests__/support/repository-root";

export interface Served {
  port: number;
  pid: number;
  /** What it printed before it served. */
  text: string;
  stop(): Promise<void>;
}

/** Starts a program and waits for the line that says where it serves. */
export async function serve(args: string[], env: NodeJS.ProcessEnv, node = process.execPath): Promise<Served> {
  const child = spawn(node, args, {
    env: { ...process.env, NODE_ENV: "production", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = /serving http:\/\/[^:]+:(\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    child.once("exit", (code) => reject(new Error(`the program ended with ${code}:\n${text}`)));
  });
  return {
    port,
    pid: child.pid ?? 0,
    text,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
}

export const serveApp = (app: string, node?: string, env: NodeJS.ProcessEnv = {}): Promise<Served> =>
  serve(
    [join(root, "dist/cli.js"), "run", "--app", app, "--port", "0"],
    {
      NODE_ENV: undefined,
      GROUNDWORK_STATE_DIR: join(app, ".groundwork"),
      LIMIT_SCALE: "1000000",
      ENCORE_RUNTIME_LOG: "error",
      LOG_LEVEL: "error",
      ...env,
    },
    node,
  );

/** The answer of a POST; throws for any other than 2xx. */
export async function answerOf<T>(port: number, path: string, body: unknown, token?: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

let people = 0;

/** Somebody new, owner of an organisation. */
export function accessToken(port: number): Promise<{ accessToken: string; refreshToken: string }> {
  const email = `bench-${process.pid}-${Date.now()}-${people++}@example.com`;
  return answerOf(port, "/auth/register", { email, password: "correct horse battery", organisation: "Bench" });
}

export async function apiKey(port: number, token: string): Promise<string> {
  return (await answerOf<{ key: string }>(port, "/auth/api-keys", { name: "bench" }, token)).key;
}
