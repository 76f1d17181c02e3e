// What the HTTP benchmarks share: alternating runs of one workload against several servers, medians, ratios.
// CPU time per request is the steadier number on a machine that does other things meanwhile.
import autocannon from "autocannon";
import { existsSync, readFileSync } from "node:fs";

const CONNECTIONS = 64;
const TICKS_PER_SECOND = 100;
const WARM_SECONDS = 2;

export interface Workload {
  name: string;
  request: { path: string; method: "GET" | "POST"; headers?: Record<string, string>; body?: string };
}

export interface Target {
  name: string;
  port: number;
  pid: number;
  /** When set, asked for instead of the workload's own request. */
  request?: Workload["request"];
}

/** A program that is started for a measurement. */
export interface Startable {
  name: string;
  /** Resolves with the first answer. */
  start(): Promise<Target & { stop(): Promise<void> | void }>;
}

export interface Rounds {
  rounds: number;
  seconds: number;
}

interface Sample {
  perSecond: number;
  /** CPU microseconds of the server for one request. */
  cpu: number;
}

export const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** CPU microseconds that a process has used. */
export function cpuMicros(pid: number): number {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return Number.NaN;
  const fields = readFileSync(file, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

/** Sends `request` for `seconds` on all connections. Throws when an answer is not 2xx. */
export async function load(
  target: Target,
  request: Workload["request"],
  seconds: number,
): Promise<{ perSecond: number; total: number }> {
  const result = await autocannon({
    url: `http://127.0.0.1:${target.port}${request.path}`,
    connections: CONNECTIONS,
    duration: seconds,
    ...request,
    path: request.path,
  });
  const wrong = result.non2xx + result.errors;
  if (wrong > 0) throw new Error(`${target.name}: ${wrong} of ${result.requests.total} answers were wrong`);
  return { perSecond: result.requests.average, total: result.requests.total };
}

async function run(target: Target, workload: Workload, seconds: number): Promise<Sample> {
  const before = cpuMicros(target.pid);
  const { perSecond, total } = await load(target, target.request ?? workload.request, seconds);
  return { perSecond, cpu: (cpuMicros(target.pid) - before) / total };
}

/** Prints and returns the medians of each, and how the first compares with it. */
function report(results: { name: string; samples: Sample[] }[]): (Sample & { name: string })[] {
  const medians = results.map(({ name, samples }) => ({
    name,
    perSecond: median(samples.map((s) => s.perSecond)),
    cpu: median(samples.map((s) => s.cpu)),
  }));
  const first = medians[0] ?? { name: "", perSecond: Number.NaN, cpu: Number.NaN };
  for (const m of medians) {
    const ratios = `${first.name} is ${(first.perSecond / m.perSecond).toFixed(2)}x (CPU ${(m.cpu / first.cpu).toFixed(2)}x)`;
    console.log(
      `  ${m.name.padEnd(34)} ${m.perSecond.toFixed(0).padStart(7)} req/s  ${m.cpu.toFixed(1).padStart(6)} µs CPU/req   ${ratios}`,
    );
  }
  return medians;
}

/** `rounds` alternating runs, forwards and backwards in turn, so that nobody always comes after the same other. */
async function alternate<T extends { samples: Sample[] }>(
  runs: T[],
  rounds: number,
  sample: (run: T) => Promise<Sample>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? runs : [...runs].reverse()) one.samples.push(await sample(one));
  }
}

/**
 * Alternating runs, each against a process of its own that is warm: how V8 happens to compile one process makes up to a third of
 * its speed, for as long as it lives. Prints and returns medians and how the first compares.
 */
export async function measureAnew(
  programs: Startable[],
  workload: Workload,
  { rounds, seconds }: Rounds,
): Promise<(Sample & { name: string })[]> {
  const runs = programs.map((program) => ({ name: program.name, program, samples: [] as Sample[] }));
  await alternate(runs, rounds, async ({ program }) => {
    const server = await program.start();
    try {
      await run(server, workload, WARM_SECONDS);
      return await run(server, workload, seconds);
    } finally {
      await server.stop();
    }
  });
  console.log(
    `\n${workload.name}: ${rounds} processes each, ${seconds} s after ${WARM_SECONDS} s of warm-up, ${CONNECTIONS} connections`,
  );
  return report(runs);
}
