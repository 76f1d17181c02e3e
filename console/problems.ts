// What is wrong now, in words, from what the app tells of itself: probes, gauges and the last minute of answers. Pure.
import type { GaugeName, Reading } from "../telemetry/metrics";
import type { Readiness } from "../telemetry/probes";
import type { SignalPoint } from "./signals";

export interface Problem {
  severity: "critical" | "warning";
  title: string;
  /** What it means and what helps. */
  detail: string;
  /** The view of the console that shows more. */
  view?: "dead-letters" | "consumers" | "queues" | "sagas" | "traces";
}

/** Gauges that problems are read from. */
export const watchedGauges = [
  "dead_letters",
  "outbox_depth",
  "queue_depth",
  "consumers_paused",
  "events_held_oldest_seconds",
  "sagas_open",
  "db_pool_waiting_requests",
  "providers_resting",
] as const satisfies readonly GaugeName[];
export type WatchedGauge = (typeof watchedGauges)[number];
/** Undefined: its source did not answer. Null: this process has none. */
export type Gauges = Readonly<Record<WatchedGauge, readonly Reading[] | undefined | null>>;

const OUTBOX_ROWS_MANY = 1_000;
const JOBS_MANY = 1_000;
const HELD_SECONDS_LONG = 600;
const MINUTE_POINTS = 6;
/** Below it one failure says little of how all fare. */
const REQUESTS_PER_SECOND_FEW = 0.2;
const FAILURE_SHARE_HIGH = 0.01;

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
const labelOf = ({ labels }: Reading, name: string): string => String(labels?.[name] ?? "");

export function findProblems(readiness: Readiness, gauges: Gauges, points: readonly SignalPoint[]): Problem[] {
  const found = [
    ...ofReadiness(readiness),
    ...ofAnswers(points.slice(-MINUTE_POINTS)),
    ...ofAbsent(watchedGauges.filter((name) => gauges[name] === null)),
    ...watchedGauges.flatMap((name) => {
      const readings = gauges[name];
      if (readings === null) return [];
      return readings === undefined ? [unread(name)] : byGauge[name](readings);
    }),
  ];
  return found.sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
}

function ofReadiness({ draining, checks }: Readiness): Problem[] {
  const failing = checks.filter(({ ok }) => !ok);
  return [
    ...failing.map(({ name, isVital }): Problem => {
      if (isVital)
        return {
          severity: "critical",
          title: `${name} does not answer`,
          detail: "Requests are refused until it does.",
        };
      return {
        severity: "warning",
        title: `${name} does not answer`,
        detail: "The app goes on without it for a while.",
      };
    }),
    ...(draining
      ? [{ severity: "warning", title: "This process is stopping", detail: "It takes no more work." } as const]
      : []),
  ];
}

function ofAnswers(points: readonly SignalPoint[]): Problem[] {
  const sum = (of: (point: SignalPoint) => number): number => points.reduce((total, point) => total + of(point), 0);
  const [requests, failures] = [sum((point) => point.requestsPerSecond), sum((point) => point.failuresPerSecond)];
  // Said so that no points are few requests too.
  if (!(requests / points.length >= REQUESTS_PER_SECOND_FEW) || failures / requests <= FAILURE_SHARE_HIGH) return [];
  const share = Math.round((failures / requests) * 1000) / 10;
  return [
    {
      severity: "critical",
      title: `${share} % of requests fail`,
      detail: "In the last minute, with status 500 and above. The logs name the errors.",
      view: "traces",
    },
  ];
}

/** A process may host a part of the services: what it does not know of is not nought. */
const ofAbsent = (names: readonly WatchedGauge[]): Problem[] =>
  names.length === 0
    ? []
    : [
        {
          severity: "warning",
          title: "This process knows a part of it alone",
          detail: `What reports ${names.join(", ")} runs in other processes: their /metrics tell.`,
        },
      ];

const unread = (name: WatchedGauge): Problem => ({
  severity: "warning",
  title: `${name} cannot be read`,
  detail: "What it would tell of is not known just now.",
});

const whatFailed: Readonly<Record<string, string>> = { events: "event", queues: "job", inbox: "event" };

const byGauge: Record<WatchedGauge, (readings: readonly Reading[]) => Problem[]> = {
  dead_letters: (readings) =>
    readings
      .filter(({ value }) => value > 0)
      .map((reading) => {
        const source = labelOf(reading, "source");
        return {
          severity: "warning",
          title: `${plural(reading.value, "dead letter")} of ${source}`,
          detail: `Each ${whatFailed[source] ?? "message"} was given up after all of its attempts. Find out why, then redrive or discard.`,
          view: "dead-letters",
        };
      }),
  outbox_depth: ([reading]) =>
    reading === undefined || reading.value < OUTBOX_ROWS_MANY
      ? []
      : [
          {
            severity: "warning",
            title: `${reading.value} rows wait in the outbox`,
            detail: "The relay is behind: events and jobs come late.",
            view: "queues",
          },
        ],
  queue_depth: (readings) =>
    [...backlogs(readings)]
      .filter(([, jobs]) => jobs >= JOBS_MANY)
      .map(([queue, jobs]) => ({
        severity: "warning",
        title: `${jobs} jobs wait in ${queue}`,
        detail: "More come than are done: more processes, or a higher concurrency.",
        view: "queues",
      })),
  consumers_paused: (readings) =>
    readings
      .filter(({ value }) => value > 0)
      .map((reading) => ({
        severity: "warning",
        title: `Consumer ${labelOf(reading, "consumer")} is paused`,
        detail: "Its events wait until somebody resumes it.",
        view: "consumers",
      })),
  events_held_oldest_seconds: (readings) =>
    readings
      .filter(({ value }) => value > HELD_SECONDS_LONG)
      .map((reading) => ({
        severity: "warning",
        title: `Events wait for ${labelOf(reading, "consumer")}`,
        detail: `The first has waited for ${Math.round(reading.value / 60)} minutes.`,
        view: "consumers",
      })),
  sagas_open: (readings) =>
    readings
      .filter((reading) => labelOf(reading, "state") === "stuck" && reading.value > 0)
      .map(({ value }) => ({
        severity: "critical",
        title: `${plural(value, "saga")} stuck`,
        detail: "A compensation failed for good: somebody has to retry or skip it.",
        view: "sagas",
      })),
  db_pool_waiting_requests: ([reading]) =>
    reading === undefined || reading.value === 0
      ? []
      : [
          {
            severity: "warning",
            title: `${plural(reading.value, "request waits", "requests wait")} for a database connection`,
            detail: "The pool is used up: slow statements, or DB_POOL_MAX is too small.",
          },
        ],
  providers_resting: (readings) =>
    readings
      .filter(({ value }) => value > 0)
      .map((reading) => ({
        severity: "warning",
        title: `Model provider ${labelOf(reading, "provider")} is left alone`,
        detail: "It failed five times running, so calls go to the next one for a while.",
      })),
};

const READY_STATES = ["waiting", "prioritized"];

/** Jobs in `states`, by queue: those that wait for a worker when nothing is said. */
export function backlogs(readings: readonly Reading[], states: readonly string[] = READY_STATES): Map<string, number> {
  const waiting = new Map<string, number>();
  for (const reading of readings) {
    const [queue, state] = [labelOf(reading, "queue"), labelOf(reading, "state")];
    if (!states.includes(state)) continue;
    waiting.set(queue, (waiting.get(queue) ?? 0) + reading.value);
  }
  return waiting;
}
