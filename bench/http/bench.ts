// Measures the host's HTTP part beside Fastify 5: `node scripts/run-ts.mjs bench/http/bench.ts [rounds] [seconds] [name]`, where a
// name picks the workloads that it begins.
// Runs alternate on the same machine, each in a process of its own; medians and ratios are printed: first start-up to the first
// answer and memory, then requests, with the request log off and on. This is a report, never a test.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { firstAnswer, prepareApp, type PreparedApp } from "../../runtime/http/__tests__/support/app-process";
import { freePort } from "../../runtime/http/__tests__/support/free-port";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import type { FastifyVariant } from "./fastify-server";
import { measureAnew, type Startable, type Target, type Workload } from "./measure";
import { buildProgram } from "./rival-program";
import { measureStarts } from "./starts";

const [rounds = 5, seconds = 3] = process.argv.slice(2, 4).map(Number);
const picked = process.argv[4] ?? "";

interface Server extends Target {
  stop(): Promise<void> | void;
}

const lines = [1, 2, 3].map((i) => ({ sku: `sku-${i}`, quantity: i, note: "leave at the door" }));
const order = JSON.stringify({ customer: { name: "Ada Lovelace", email: "ada@example.com" }, lines, express: true });
const workloads: Workload[] = [
  { name: "GET with path parameter", request: { path: "/items/42", method: "GET" } },
  {
    name: "POST with validated body",
    request: { path: "/orders", method: "POST", headers: { "content-type": "application/json" }, body: order },
  },
  {
    name: "auth handler + middleware",
    request: { path: "/me/42", method: "GET", headers: { authorization: "Bearer secret" } },
  },
];

const quiet = { NODE_ENV: "production", ENCORE_RUNTIME_LOG: "error" };
const withLog = { NODE_ENV: "production", ENCORE_RUNTIME_LOG: "info" };

const prepare = (logging: boolean): Promise<PreparedApp> =>
  prepareApp(join(root, "bench/http/__tests__/app"), { env: logging ? withLog : quiet, discardLog: true });

async function ours(prepared: PreparedApp): Promise<Server> {
  const app = await prepared.start();
  return { name: "groundwork", port: app.port, pid: app.child.pid ?? 0, stop: () => app.stop() };
}

async function fastify(script: string, name: string, variant: Omit<FastifyVariant, "port">): Promise<Server> {
  const port = await freePort();
  const env = { ...process.env, NODE_ENV: "production", BENCH_FASTIFY: JSON.stringify({ ...variant, port }) };
  const child = spawn(process.execPath, [script], { env, stdio: ["ignore", "ignore", "inherit"] });
  await firstAnswer(child, port, () => "");
  return {
    name,
    port,
    pid: child.pid ?? 0,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill();
      }),
  };
}

async function requests(logging: boolean, script: string): Promise<void> {
  console.log(`\n== request log ${logging ? "on" : "off"} ==`);
  const prepared = await prepare(logging);
  const rival = (name: string, schema: boolean): Startable => ({
    name,
    start: () => fastify(script, name, { schema, logging }),
  });
  const programs = [
    { name: "groundwork", start: () => ours(prepared) },
    rival("fastify 5, schema + request context", true),
    rival("fastify 5, bare", false),
  ];
  try {
    for (const workload of workloads.filter(({ name }) => name.startsWith(picked)))
      await measureAnew(programs, workload, { rounds, seconds });
  } finally {
    prepared.remove();
  }
}

const script = await buildProgram("fastify-server.ts");
const prepared = await prepare(false);
await measureStarts(
  [
    { name: "groundwork", start: () => ours(prepared) },
    { name: "fastify 5, schema + request context", start: () => fastify(script, "", { schema: true, logging: false }) },
  ],
  { rounds, request: workloads[0]!.request },
);
prepared.remove();
for (const logging of [false, true]) await requests(logging, script);
process.exit(0);
