// How the installation fares: what is wrong, and the golden signals of the process that answers.
import { api, type Query } from "encore.dev/api";
import { cfg } from "../../config";
import { isReported, readGauge } from "../../telemetry/metrics";
import { checkReadiness } from "../../telemetry/probes";
import { createShared } from "../../telemetry/shared-look";
import { backlogs, findProblems, watchedGauges, type Gauges } from "../problems";
import { signalLog, thisProcess } from "../signals";

interface Check {
  name: string;
  ok: boolean;
  /** Whether the app refuses requests without it. */
  vital: boolean;
  durationMs: number;
}

interface FoundProblem {
  severity: "critical" | "warning";
  title: string;
  detail: string;
  /** The view of the console that shows more. */
  view?: string;
}

interface OverviewResponse {
  environment: "development" | "production" | "test";
  status: "ready" | "draining" | "unavailable";
  checks: Check[];
  /** The worst first. */
  problems: FoundProblem[];
  /** Outbox rows that are not handed over; null where that cannot be read. */
  outboxRows: number | null;
  /** Jobs that wait in their queues. */
  jobsWaiting: number | null;
  /** Jobs whose time has not come: of a later moment, or of another attempt. */
  jobsDelayed: number | null;
  /** Open dead letters of events and jobs. */
  deadLetters: number | null;
  /** Sagas that have not ended. */
  sagasOpen: number | null;
  /** Of the process that answers. */
  uptimeSeconds: number;
  memoryBytes: number;
}

/** What is wrong now, and how much waits. */
export const overview = api(
  { expose: true, auth: true, method: "GET", path: "/console/api/overview", tags: ["can:operator.system.read"] },
  async (): Promise<OverviewResponse> => shared(),
);

const KEPT_MS = 2_000;

/** One look for all who ask at once, and for a moment after: however many watch, the database is asked as often as for one. */
const shared = createShared(look, KEPT_MS);

async function look(): Promise<OverviewResponse> {
  const [readiness, gauges] = await Promise.all([checkReadiness(), readGauges()]);
  const jobsIn = (...states: string[]): number | null =>
    gauges.queue_depth ? sum(backlogs(gauges.queue_depth, states).values()) : null;
  return {
    environment: cfg.env,
    status: readiness.ready ? "ready" : readiness.draining ? "draining" : "unavailable",
    checks: readiness.checks.map(({ name, ok, isVital: vital, durationMs }) => ({ name, ok, vital, durationMs })),
    problems: findProblems(readiness, gauges, signalLog.after(0)),
    outboxRows: sumOf(gauges.outbox_depth),
    jobsWaiting: jobsIn("waiting", "prioritized"),
    jobsDelayed: jobsIn("delayed"),
    deadLetters: sumOf(gauges.dead_letters),
    sagasOpen: sumOf(gauges.sagas_open),
    uptimeSeconds: Math.round(process.uptime()),
    memoryBytes: process.memoryUsage.rss(),
  };
}

async function readGauges(): Promise<Gauges> {
  const readings = await Promise.all(
    watchedGauges.map(async (name) => [name, isReported(name) ? await readGauge(name) : null] as const),
  );
  return Object.fromEntries(readings) as Gauges;
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
const sumOf = (readings: Gauges[keyof Gauges]): number | null =>
  readings ? sum(readings.map(({ value }) => value)) : null;

interface SignalsRequest {
  /** Only points after the one of this number, */
  after?: Query<number>;
  /** where that is of this process; else all. */
  process?: Query<string>;
}

interface ConsoleProcess {
  /** Another one after each start. */
  id: string;
  host: string;
}

interface Point {
  /** Within its process. */
  number: number;
  /** Milliseconds since 1970. */
  atMs: number;
  requestsPerSecond: number;
  /** Answers of status 500 and above. */
  failuresPerSecond: number;
  /** Absent where nothing was asked. */
  p50Ms?: number;
  p95Ms?: number;
}

interface SignalsResponse {
  process: ConsoleProcess;
  /** Of the process that answers, an hour at most, the oldest first. */
  points: Point[];
}

/** The golden signals. */
export const signals = api(
  { expose: true, auth: true, method: "GET", path: "/console/api/signals", tags: ["can:operator.system.read"] },
  async ({ after = 0, process: of }: SignalsRequest): Promise<SignalsResponse> => ({
    process: thisProcess,
    points: signalLog.after(of === thisProcess.id ? after : 0).map(({ p50Ms, p95Ms, ...rest }) => ({
      ...rest,
      ...(p50Ms === null ? {} : { p50Ms }),
      ...(p95Ms === null ? {} : { p95Ms }),
    })),
  }),
);
