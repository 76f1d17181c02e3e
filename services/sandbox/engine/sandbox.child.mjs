// The process that runs users' code (sandbox-process.ts), one run after the other. Plain JavaScript, because it is started by its path.
// Lines of JSON come by stdin and go by stdout; not Node's IPC, whose messages the parent would have to read whatever their length:
//   ← {job} | {answer: {id, isFine, text?}} | {ping}
//   → {isReady} | {log} | {call: {id, name, values}} | {ended: {output?, error?, isSpent?, durationMs}} | {pong}
import { Worker } from "node:worker_threads";
import { instantiate, Run } from "./engine.mjs";

const DEFAULT_MEMORY_MB = 16;

// The parent is gone, or wants no more.
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdout.on("error", () => process.exit(0));
// A process group's signals are for the parent, which decides when this one ends.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);

const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** For the run under way, in ms; read by the thread that ends this process when it is over. */
const left = new Int32Array(new SharedArrayBuffer(4));
const limitTime = (limitMs) => {
  Atomics.store(left, 0, limitMs);
  Atomics.notify(left, 0);
};

async function watch() {
  const watcher = new Worker(new URL("./watch.worker.mjs", import.meta.url), {
    workerData: left,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 },
  });
  await new Promise((resolve, reject) => watcher.once("message", resolve).once("error", reject));
  watcher.unref();
}

/** Made while nobody waits. */
let prepared;
const prepare = () => {
  prepared = instantiate(DEFAULT_MEMORY_MB);
  // Whoever takes it hears of it.
  prepared.catch(() => undefined);
  return prepared;
};

let current;

async function runJob(job) {
  const beganAtMs = performance.now();
  limitTime(job.timeoutMs + job.graceMs);
  const run = (current = new Run(job, tell));
  let instance = await prepared;
  if (instance.memoryMb !== job.memoryMb) instance = await instantiate(job.memoryMb);
  const ended = await run.result(instance);
  current = undefined;
  limitTime(0);
  tell({ ended: { ...ended, durationMs: performance.now() - beganAtMs } });
  if (!ended.isSpent) await prepare();
}

function receive({ job, answer, ping }) {
  if (job !== undefined) void runJob(job);
  if (answer !== undefined) current?.answer(answer);
  if (ping !== undefined) tell({ pong: ping });
}

let begun = "";
process.stdin.setEncoding("utf8").on("data", (part) => {
  const lines = (begun + part).split("\n");
  begun = lines.pop();
  for (const line of lines) receive(JSON.parse(line));
});

// Everything that a run needs is loaded by one: from when it is ready, this process may be unable to open any file.
await Promise.all([watch(), prepare()]);
const first = { code: "return [input]", input: "1", modules: {}, functions: [], timeoutMs: 10_000 };
const limits = { lineMaxChars: 10, linesMax: 1, stackMaxChars: 10, callsMax: 0, callMaxChars: 0, outputMaxBytes: 10 };
const warm = await new Run({ ...first, ...limits }, () => undefined).result(await prepared);
if (warm.output !== "[1]") throw new Error("the engine does not work");
await prepare();
tell({ isReady: true });
