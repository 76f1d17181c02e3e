// Measures what the guard costs: an endpoint of the real app behind everything (token, permission, limits, headers, metrics,
// tenant), the same endpoint bare, and a Fastify 5 that does what the guard does. Each run has a process of its own, in turn:
// `node scripts/run-ts.mjs bench/http/guarded.ts [rounds] [seconds] [--node PATH]`, where PATH is the Node that serves.
// A report, never a test.
import { spawn } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { measureAnew, type Startable, type Target } from "./measure";
import { buildProgram } from "./rival-program";

const { positionals, values } = parseArgs({ allowPositionals: true, options: { node: { type: "string" } } });
const [rounds = 5, seconds = 3] = positionals.map(Number);
const node = values.node ?? process.execPath;

interface Served {
  port: number;
  pid: number;
  /** What it printed before it served. */
  text: string;
  stop(): Promise<void>;
}

/** Starts a program and waits for the line that says where it serves. */
async function serve(args: string[], env: NodeJS.ProcessEnv): Promise<Served> {
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

const serveApp = (app: string): Promise<Served> =>
  serve([join(root, "dist/cli.js"), "run", "--app", app, "--port", "0"], {
    NODE_ENV: undefined,
    GROUNDWORK_STATE_DIR: join(app, ".groundwork"),
    LIMIT_SCALE: "1000000",
    ENCORE_RUNTIME_LOG: "error",
    LOG_LEVEL: "error",
  });

async function accessToken(port: number): Promise<string> {
  const email = `bench-${process.pid}-${Date.now()}@example.com`;
  const body = JSON.stringify({ email, password: "correct horse battery", organisation: "Bench" });
  const response = await fetch(`http://127.0.0.1:${port}/auth/register`, { method: "POST", body });
  const answer = (await response.json()) as { accessToken?: string };
  if (!answer.accessToken) throw new Error(`register answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer.accessToken;
}

const guardedRequest = (token: string): Target["request"] => ({
  path: "/guarded/42?k=10",
  method: "GET",
  headers: { authorization: `Bearer ${token}` },
});

function programs(app: string, rival: string): Startable[] {
  return [
    {
      name: "guarded",
      async start() {
        const served = await serveApp(app);
        try {
          return { name: "guarded", ...served, request: guardedRequest(await accessToken(served.port)) };
        } catch (error) {
          await served.stop();
          throw error;
        }
      },
    },
    {
      name: "fastify 5 that does the same",
      async start() {
        const served = await serve([rival], {});
        const { token } = JSON.parse(served.text.split("\n")[0] ?? "") as { token: string };
        return { name: "fastify", ...served, request: guardedRequest(token) };
      },
    },
    {
      name: "bare",
      start: async () => ({
        name: "bare",
        ...(await serveApp(app)),
        request: { path: "/bare/42?k=10", method: "GET" },
      }),
    },
  ];
}

const app = copyOfApp();
cpSync(join(root, "bench/http/__tests__/guarded"), app, { recursive: true });
try {
  const rival = await buildProgram("guarded-rival.ts");
  const workload = { name: "token + permission + limits + tenant", request: { path: "/", method: "GET" as const } };
  const medians = await measureAnew(programs(app, rival), workload, { rounds, seconds });
  const [guarded, , bare] = medians;
  if (guarded && bare) console.log(`  the guard costs ${(guarded.cpu - bare.cpu).toFixed(1)} µs CPU/req above bare`);
} finally {
  rmSync(app, { recursive: true, force: true });
}
