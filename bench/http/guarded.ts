// Measures what the guard costs: the same endpoint bare, and behind the real auth handler with permission, limits and
// tenant, in one process of the real app: `node scripts/run-ts.mjs bench/http/guarded.ts [rounds] [seconds]`.
// A report, never a test.
import { cpSync, rmSync } from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { measure } from "./measure";

const [rounds = 5, seconds = 3] = process.argv.slice(2).map(Number);

async function start(app: string): Promise<{ port: number; pid: number; stop(): Promise<void> }> {
  const env = {
    ...process.env,
    GROUNDWORK_STATE_DIR: join(app, ".groundwork"),
    LIMIT_SCALE: "1000000",
    ENCORE_RUNTIME_LOG: "error",
    LOG_LEVEL: "error",
  };
  const child = spawn(process.execPath, [join(root, "dist/cli.js"), "run", "--app", app, "--port", "0"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<number>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = /serving http:\/\/[^:]+:(\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    child.once("exit", (code) => reject(new Error(`the app ended with ${code}:\n${text}`)));
  });
  return {
    port,
    pid: child.pid ?? 0,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
}

async function accessToken(port: number): Promise<string> {
  const body = JSON.stringify({ email: "bench@example.com", password: "correct horse battery", organisation: "Bench" });
  const response = await fetch(`http://127.0.0.1:${port}/auth/register`, { method: "POST", body });
  const answer = (await response.json()) as { accessToken?: string };
  if (!answer.accessToken) throw new Error(`register answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer.accessToken;
}

const app = copyOfApp();
cpSync(join(root, "bench/http/__tests__/guarded"), app, { recursive: true });
const server = await start(app);
try {
  const headers = { authorization: `Bearer ${await accessToken(server.port)}` };
  const guarded = { path: "/guarded/42?k=10", method: "GET" as const, headers };
  const bare = { path: "/bare/42?k=10", method: "GET" as const };
  await measure(
    [
      { name: "guarded", ...server, request: guarded },
      { name: "bare", ...server, request: bare },
    ],
    { name: "token + permission + limits + tenant", request: guarded },
    { rounds, seconds },
  );
} finally {
  await server.stop();
  rmSync(app, { recursive: true, force: true });
}
