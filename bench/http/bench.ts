// Measures the host's HTTP part beside Fastify 5: `node scripts/run-ts.mjs bench/http/bench.ts [rounds] [seconds]`.
// Runs alternate on the same machine; medians and ratios are printed. CPU time per request is the steadier number on
// a machine that does other things meanwhile. This is a report, never a test.
import autocannon from "autocannon";
import { fork, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { startApp } from "../../runtime/http/__tests__/support/app-process";
import { serveFastify, type FastifyVariant } from "./fastify-server";

const CONNECTIONS = 64;
const TICKS_PER_SECOND = 100;
const [rounds = 5, seconds = 3] = process.argv.slice(2).map(Number);

interface Workload {
  name: string;
  request: { path: string; method: "GET" | "POST"; headers?: Record<string, string>; body?: string };
}
interface Server {
  name: string;
  port: number;
  pid: number;
  stop(): Promise<void> | void;
}
interface Sample {
  perSecond: number;
  /** CPU microseconds of the server for one request. */
  cpu: number;
}

const lines = [1, 2, 3].map((i) => ({ sku: `sku-${i}`, quantity: i, note: "leave at the door" }));
const order = JSON.stringify({ customer: { name: "Ada Lovelace", email: "ada@example.com" }, lines, express: true });
const workloads: Workload[] = [
  { name: "GET with path parameter", request: { path: "/items/42", method: "GET" } },
  { name: "POST with validated body", request: { path: "/orders", method: "POST", headers: { "content-type": "application/json" }, body: order } },
  { name: "auth handler + middleware", request: { path: "/me/42", method: "GET", headers: { authorization: "Bearer secret" } } },
];

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function cpuMicros(pid: number): number {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return Number.NaN;
  const fields = readFileSync(file, "utf8").replace(/^.*\) /s, "").split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

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

async function run(server: Server, { request }: Workload): Promise<Sample> {
  const cpu = cpuMicros(server.pid);
  const result = await autocannon({ url: `http://127.0.0.1:${server.port}${request.path}`, connections: CONNECTIONS, duration: seconds, ...request, path: request.path });
  const wrong = result.non2xx + result.errors;
  if (wrong > 0) throw new Error(`${server.name}: ${wrong} of ${result.requests.total} answers were wrong`);
  return { perSecond: result.requests.average, cpu: (cpuMicros(server.pid) - cpu) / result.requests.total };
}

async function measure(servers: Server[], workload: Workload): Promise<void> {
  const runs = servers.map((server) => ({ server, samples: [] as Sample[] }));
  for (const { server } of runs) await run(server, workload);
  for (let round = 0; round < rounds; round++) {
    for (const { server, samples } of runs) samples.push(await run(server, workload));
  }
  const medians = runs.map(({ server, samples }) => ({
    name: server.name, perSecond: median(samples.map((s) => s.perSecond)), cpu: median(samples.map((s) => s.cpu)),
  }));
  const own = medians[0] ?? { perSecond: Number.NaN, cpu: Number.NaN };
  console.log(`\n${workload.name}`);
  for (const m of medians) {
    const ratios = `groundwork is ${(own.perSecond / m.perSecond).toFixed(2)}x (CPU ${(m.cpu / own.cpu).toFixed(2)}x)`;
    console.log(`  ${m.name.padEnd(34)} ${m.perSecond.toFixed(0).padStart(7)} req/s  ${m.cpu.toFixed(1).padStart(6)} µs CPU/req   ${ratios}`);
  }
}

async function main(): Promise<void> {
  for (const logging of [false, true]) {
    console.log(`\n== request log ${logging ? "on" : "off"} == ${rounds} rounds of ${seconds} s, ${CONNECTIONS} connections`);
    const servers = [await ours(logging), await fastify("fastify 5, schema + request context", { schema: true, logging }), await fastify("fastify 5, bare", { schema: false, logging })];
    try {
      for (const workload of workloads) await measure(servers, workload);
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
