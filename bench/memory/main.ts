// How much memory a job and a request leave behind in the running app, on loopback: `npm run bench:memory [JOBS] [REQUESTS]`,
// 200,000 of each unless told. The app runs as ever (embedded, or on DATABASE_URL and REDIS_URL); memory is read after
// garbage collections, through its inspector. Prints the least-squares slope of heap and resident memory, and a verdict.
// Ends by itself after LIMIT_MINUTES, with what it has.
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import WebSocket from "ws";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { served, spawnApp, textOf, type AppProcess } from "../app-process";
import { takeCensus, takeMemory, type Census, type Inspect, type Memory } from "./census";
import { slopeOf } from "./slope";

const [jobs = 200_000, requests = 200_000] = process.argv.slice(2).map(Number);
const PARTS = 20;
const LIMIT_MINUTES = 12;
const LANES = 32;
/** Flat: less than this stays of each; what remains is noise of the collector. */
const FLAT_BYTES = 16;

interface App extends AppProcess {
  inspect: Inspect;
}

/** Commands of the inspector's protocol over its socket. */
async function inspectorAt(url: string): Promise<Inspect> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  let last = 0;
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  socket.on("message", (data: Buffer) => {
    const { id, result, error } = JSON.parse(data.toString()) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    if (id === undefined) return;
    if (error) waiting.get(id)?.reject(new Error(error.message));
    else waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, method, params }));
    });
}

async function start(app: string): Promise<App> {
  const child = spawnApp(app, ["--inspect=127.0.0.1:0"]);
  const inspector = textOf(child, /Debugger listening on (ws:\/\/\S+)/);
  const [running, url] = await Promise.all([served(child), inspector]);
  return { ...running, inspect: await inspectorAt(url) };
}

async function request(app: App, token: string, count: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const response = await fetch(`${app.baseUrl}/load/echo/42`, { headers: { authorization: `Bearer ${token}` } });
      if (!response.ok) throw new Error(`answered ${response.status}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

const deadline = performance.now() + LIMIT_MINUTES * 60_000;

async function measure(app: App, what: string, total: number, run: (count: number) => Promise<void>): Promise<void> {
  const part = Math.max(1, Math.round(total / PARTS));
  // The first two parts warm up: compiled code, pools, caches.
  for (let n = 0; n < 2; n++) await run(part);
  const before = await takeCensus(app.inspect);
  const samples: (Memory & { done: number })[] = [{ done: 0, ...(await takeMemory(app.inspect)) }];
  for (let done = part; done <= total && performance.now() < deadline; done += part) {
    await run(part);
    samples.push({ done, ...(await takeMemory(app.inspect)) });
  }
  report(what, samples, before, await takeCensus(app.inspect));
}

function report(what: string, samples: readonly (Memory & { done: number })[], before: Census, after: Census): void {
  const [heap, rss] = (["heapUsedBytes", "rssBytes"] as const).map((name) =>
    slopeOf(samples.map((sample) => ({ done: sample.done, bytes: sample[name] }))),
  ) as [number, number];
  const done = samples.at(-1)?.done ?? 0;
  const mb = (bytes = 0): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const kept = Object.entries(after).map(([name, count]) => `${name} ${count - before[name as keyof Census]}`);
  console.log(`${what}: ${done}, ${samples.length} samples`);
  console.log(
    `  heap ${mb(samples[0]?.heapUsedBytes)} → ${mb(samples.at(-1)?.heapUsedBytes)}, ${heap.toFixed(2)} bytes each`,
  );
  console.log(`  resident ${mb(samples[0]?.rssBytes)} → ${mb(samples.at(-1)?.rssBytes)}, ${rss.toFixed(2)} bytes each`);
  console.log(`  more than before: ${kept.join(", ")}`);
  const isFlat = heap < FLAT_BYTES;
  console.log(
    `  ${isFlat ? "flat" : "NOT FLAT"}: the heap keeps ${heap.toFixed(2)} bytes of each (bound ${FLAT_BYTES})`,
  );
  if (!isFlat) process.exitCode = 1;
}

const folder = copyOfApp();
cpSync(join(root, "bench/memory/__tests__/fixtures/load"), folder, { recursive: true });
const app = await start(folder);
try {
  const owner = { email: "bench@example.com", password: "correct horse battery", organisation: "Bench" };
  const token = String((await app.post("/auth/register", owner)).accessToken);
  await measure(app, "requests", requests, (count) => request(app, token, count));
  await measure(app, "jobs", jobs, async (count) => void (await app.post("/load/jobs", { count })));
} finally {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
