// One run per tick over all replicas, proven with three schedulers on one ledger and a clock moved by hand.
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import type { Clock } from "../clock";
import type { Ledger, Tick } from "../ledger";
import { PostgresLedger } from "../postgres-ledger";
import { parseSchedule } from "../schedule";
import { Scheduler } from "../scheduler";
import { database, quiet } from "../../pubsub/__tests__/kit";

class ManualClock implements Clock {
  #now = Date.parse("2026-03-01T00:00:30Z");
  readonly #timers = new Map<() => void, number>();
  now(): number {
    return this.#now;
  }
  at(atMs: number, fn: () => void): () => void {
    this.#timers.set(fn, atMs);
    return () => this.#timers.delete(fn);
  }
  advance(ms: number): void {
    this.#now += ms;
    for (const [fn, atMs] of [...this.#timers]) {
      if (atMs > this.#now) continue;
      this.#timers.delete(fn);
      fn();
    }
  }
}

const LEASE_MS = 5000;
let clone: ClonedDatabase;

beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(() => clone.drop());

function replica(name: string, clock: Clock, ran: string[], job: string, ledger: Ledger = new PostgresLedger(clone.url, name, LEASE_MS)) {
  const run = (): Promise<void> => Promise.resolve(void ran.push(name));
  return new Scheduler({ jobs: [{ id: job, next: parseSchedule("every:1"), run }], ledger, clock, log: quiet, leaseMs: LEASE_MS });
}

/** As if the time of every lease had passed. */
async function endLeases(): Promise<void> {
  const client = new Client({ connectionString: clone.url });
  await client.connect();
  await client.query("update groundwork.cron_run set lease_until = now() - interval '1 second'");
  await client.end();
}

describe("cron over several replicas", () => {
  it("runs each of 50 ticks exactly once on three replicas", async () => {
    const clock = new ManualClock();
    const ran: string[] = [];
    const replicas = ["a", "b", "c"].map((name) => replica(name, clock, ran, "fifty"));
    await Promise.all(replicas.map((one) => one.start()));
    for (let tick = 1; tick <= 50; tick++) {
      clock.advance(60_000);
      await Promise.all(replicas.map((one) => one.idle()));
      expect(ran).toHaveLength(tick);
    }
    await Promise.all(replicas.map((one) => one.drain()));
  });

  it("runs a tick whose holder died before the endpoint ended, once, on another replica", async () => {
    const clock = new ManualClock();
    const ran: string[] = [];
    const dead = new PostgresLedger(clone.url, "dead");
    await dead.start();
    const tick: Tick = { job: "orphan", at: Date.parse("2026-03-01T00:01:00Z") };
    expect(await dead.claim(tick)).toBe("won");
    const survivor = replica("survivor", clock, ran, "orphan");
    await survivor.start();
    clock.advance(30_000);
    await survivor.idle();
    expect(ran).toEqual([]); // the lease of the dead one still holds
    await endLeases();
    clock.advance(LEASE_MS);
    await survivor.idle();
    expect(ran).toEqual(["survivor"]);
    expect(await dead.claim(tick)).toBe("done");
    await survivor.drain();
    await dead.close();
  });

  it("does not run a failed tick again", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const run = (): Promise<void> => Promise.reject(new Error(`call ${++calls}`));
    const ledger = new PostgresLedger(clone.url, "failing", LEASE_MS);
    const scheduler = new Scheduler({ jobs: [{ id: "failing", next: parseSchedule("every:1"), run }], ledger, clock, log: quiet, leaseMs: LEASE_MS });
    await scheduler.start();
    clock.advance(60_000);
    await scheduler.idle();
    clock.advance(1000);
    await scheduler.idle();
    expect(calls).toBe(1);
    expect(await ledger.claim({ job: "failing", at: Date.parse("2026-03-01T00:01:00Z") })).toBe("done");
    await scheduler.drain();
  });
});
