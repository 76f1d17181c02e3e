// What the console says is wrong, from what the app tells of itself.
import { describe, expect, test } from "vitest";
import type { Readiness } from "../../telemetry/probes";
import { backlogs, findProblems, watchedGauges, type Gauges } from "../problems";
import type { SignalPoint } from "../signals";

const well: Readiness = { ready: true, draining: false, checks: [] };
const quiet = Object.fromEntries(watchedGauges.map((name) => [name, []])) as unknown as Gauges;
const minute = (requestsPerSecond: number, failuresPerSecond: number): SignalPoint[] =>
  Array.from({ length: 6 }, (_, i) => ({ atMs: i, requestsPerSecond, failuresPerSecond, p50Ms: null, p95Ms: null }));
const titles = (gauges: Partial<Gauges>): string[] =>
  findProblems(well, { ...quiet, ...gauges }, []).map(({ title }) => title);

describe("what is wrong", () => {
  test("is nothing where everything is as it should be", () => {
    expect(findProblems(well, quiet, minute(100, 0.5))).toEqual([]);
    expect(
      titles({
        dead_letters: [{ value: 0, labels: { source: "queues" } }],
        outbox_depth: [{ value: 999 }],
        sagas_open: [{ value: 9, labels: { state: "running" } }],
        consumers_paused: [{ value: 0, labels: { consumer: "ledger" } }],
        events_held_oldest_seconds: [{ value: 600, labels: { consumer: "ledger" } }],
        queue_depth: [{ value: 5_000, labels: { queue: "vectors", state: "completed" } }],
      }),
    ).toEqual([]);
  });

  test("jobs of later are not among those that wait", () => {
    const readings = ["waiting", "prioritized", "delayed"].map((state, i) => ({
      value: 10 ** i,
      labels: { queue: "vectors", state },
    }));
    expect([...backlogs(readings)]).toEqual([["vectors", 11]]);
    expect([...backlogs(readings, ["delayed"])]).toEqual([["vectors", 100]]);
  });

  test("is told of each gauge that says so, and the worst first", () => {
    expect(
      titles({
        dead_letters: [
          { value: 1, labels: { source: "queues" } },
          { value: 2, labels: { source: "events" } },
        ],
        outbox_depth: [{ value: 1_000 }],
        queue_depth: [
          { value: 600, labels: { queue: "vectors", state: "waiting" } },
          { value: 400, labels: { queue: "vectors", state: "prioritized" } },
        ],
        consumers_paused: [{ value: 1, labels: { consumer: "ledger" } }],
        events_held_oldest_seconds: [{ value: 1_200, labels: { consumer: "ledger" } }],
        sagas_open: [{ value: 1, labels: { state: "stuck" } }],
        db_pool_waiting_requests: [{ value: 3 }],
        providers_resting: [{ value: 2, labels: { provider: "openai" } }],
      }),
    ).toEqual([
      "1 saga stuck",
      "1 dead letter of queues",
      "2 dead letters of events",
      "1000 rows wait in the outbox",
      "1000 jobs wait in vectors",
      "Consumer ledger is paused",
      "Events wait for ledger",
      "3 requests wait for a database connection",
      "Model provider openai is left alone",
    ]);
  });

  test("is also what cannot be read, a part that does not answer, and a process that stops", () => {
    expect(titles({ outbox_depth: undefined })).toEqual(["outbox_depth cannot be read"]);
    expect(findProblems(well, { ...quiet, queue_depth: null, sagas_open: null }, [])).toEqual([
      {
        severity: "warning",
        title: "This process knows a part of it alone",
        detail: expect.stringContaining("queue_depth, sagas_open") as unknown,
      },
    ]);
    const checks = [
      { name: "redis", ok: false, isVital: false, durationMs: 1 },
      { name: "database", ok: false, isVital: true, durationMs: 1 },
    ];
    const found = findProblems({ ready: false, draining: true, checks }, quiet, []);
    expect(found.map(({ severity, title }) => [severity, title])).toEqual([
      ["critical", "database does not answer"],
      ["warning", "redis does not answer"],
      ["warning", "This process is stopping"],
    ]);
  });

  test("is more than one failure in a hundred in the last minute, where enough was asked to tell", () => {
    const failing = (points: SignalPoint[]): string[] => findProblems(well, quiet, points).map(({ title }) => title);
    expect(failing(minute(10, 0.5))).toEqual(["5 % of requests fail"]);
    expect(failing(minute(10, 0.1))).toEqual([]);
    expect(failing(minute(0.1, 0.1))).toEqual([]);
    expect(failing([...minute(10, 10), ...minute(10, 0)])).toEqual([]);
  });
});
