// Measures the host's HTTP part beside Fastify 5: `node scripts/run-ts.mjs bench/http/bench.ts [rounds] [seconds]`.
// Runs alternate on the same machine; medians and ratios are printed. This is a report,
// never a test.
import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { startApp } from "../../runtime/http/__tests__/support/app-process";
import { serveFastify, type FastifyVariant } from "./fastify-server";
import { measure, type Target, type Workload } from "./measure";

const [rounds = 5, seconds = 3] = process.argv.slice(2).map(Number);

interface Server extends Target {
  stop(): Promise<void> | void;
}

const lines = [1, 2, 3].map((i) => ({ sku: `sku-${i}`, quantity: i, note: "leave at the door" }));
const order = JSON.stringify({ customer: { name: "Ada Lovelace", email: "ada@example.com" }, lines, express: true });
const workloads: Workload[] = [
  { name: "GET with path parameter", request: { path: "/items/42", method: "GET" } },
  { name: "POST with validated body", request: { path: "/orders", method: "POST", headers: { "content-type": "application/json" }, body: order } },
  { name: "auth handler + middleware", request: { path: "/me/42", method: "GET", headers: { authorization: "Bearer secret" } } },
];

function findRoot(dir: string): string {
  return existsSync(join(dir, "node_modules", "encore.dev")) ? dir : findRoot(dirname(dir));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ours(logging: boolean): Promise<Server> {
  const app = await startApp(join(findRoot(import.meta.dirname), "bench/http/__tests__/app"), {
    env: { NODE_ENV: "production", ENCORE_RUNTIME_LOG: logging ? "info" : "error" }, discardLog: true,
  });
  return { name: "groundwork", port: app.port, pid: app.child.pid ?? 0, stop: () => app.stop() };
}

async function fastify(name: string, variant: Omit<FastifyVariant, "port">): Promise<Server> {
  const port = await freePort();
  const script = join(findRoot(import.meta.dirname), "dist/scripts/http-bench.js");
  const env = { ...process.env, NODE_ENV: "production", BENCH_FASTIFY: JSON.stringify({ ...variant, port }) };
  const child: ChildProcess = fork(script, { env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", (code) => reject(new Error(`fastify ended with ${code}`)));
  });
  return { name, port, pid: child.pid ?? 0, stop: () => void child.kill() };
}

async function main(): Promise<void> {
  for (const logging of [false, true]) {
    console.log(`\n== request log ${logging ? "on" : "off"} ==`);
    const servers = [await ours(logging), await fastify("fastify 5, schema + request context", { schema: true, logging }), await fastify("fastify 5, bare", { schema: false, logging })];
    try {
      for (const workload of workloads) await measure(servers, workload, { rounds, seconds });
    } finally {
      for (const server of servers) await server.stop();
    }
  }
}

const variant = process.env.BENCH_FASTIFY;
if (variant === undefined) {
  await main();
  process.exit(0);
} else {
  await serveFastify(JSON.parse(variant) as FastifyVariant);
  process.send?.("ready");
}
