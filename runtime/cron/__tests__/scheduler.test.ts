// One run per tick over all replicas, proven with three schedulers on one ledger and a clock moved by hand. On
// the database that everybody has, and on Redis where GROUNDWORK_TEST_REDIS_URL names one.
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { database, quiet } from "../../pubsub/__tests__/kit";
import type { Clock } from "../clock";
import type { Ledger, Tick } from "../ledger";
import { PostgresLedger } from "../postgres-ledger";
import { RedisLedger } from "../redis-ledger";
import { parseSchedule } from "../schedule";
import { Scheduler } from "../scheduler";

/** Ticks of long ago are forgotten. */
const DAY = new Date().toISOString().slice(0, 10);
const at = (time: string): number => Date.parse(`${DAY}T${time}Z`);

class ManualClock implements Clock {
  #now = at("00:00:30");
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
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
const prefix = `test-${randomUUID()}`;
let clone: ClonedDatabase;

beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(() => clone.drop());

async function onDatabase<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: clone.url });
  await client.connect();
  const { rows } = await client.query<Row>(sql, values);
  await client.end();
  return rows;
}

/** As if the time of every lease had passed. */
const endPostgresLeases = async (): Promise<void> =>
  void (await onDatabase("update groundwork.cron_run set lease_until = now() - interval '1 second'"));

async function endRedisLeases(): Promise<void> {
  const redis = new Redis(redisUrl);
  for (const key of await redis.keys(`${prefix}:cron:*:*`)) if ((await redis.get(key)) !== "done") await redis.del(key);
  await redis.quit();
}

interface Store {
  open(holder: string): Ledger;
  endLeases(): Promise<void>;
}

const stores: [string, Store][] = [
  ["Postgres", { open: (holder) => new PostgresLedger(clone.url, holder, LEASE_MS), endLeases: endPostgresLeases }],
];
if (redisUrl)
  stores.push([
    "Redis",
    { open: (holder) => new RedisLedger(redisUrl, prefix, holder, LEASE_MS), endLeases: endRedisLeases },
  ]);

describe.each(stores)("cron over several replicas on %s", (_, store) => {
  function replica(name: string, clock: Clock, job: string, run: (tick: Tick) => Promise<void>) {
    return new Scheduler({
      jobs: [{ id: job, next: parseSchedule("every:1"), run }],
      ledger: store.open(name),
      clock,
      log: quiet,
      leaseMs: LEASE_MS,
    });
  }

  it("runs each of 50 ticks exactly once on three replicas", async () => {
    const clock = new ManualClock();
    let ran = 0;
    const run = (): Promise<void> => Promise.resolve(void (ran += 1));
    const replicas = ["a", "b", "c"].map((name) => replica(name, clock, "fifty", run));
    await Promise.all(replicas.map((one) => one.start()));
    for (let tick = 1; tick <= 50; tick++) {
      clock.advance(60_000);
      await Promise.all(replicas.map((one) => one.idle()));
      expect(ran).toBe(tick);
    }
    await Promise.all(replicas.map((one) => one.drain()));
  });

  it("runs a tick whose holder died before the endpoint ended, once, on another replica", async () => {
    const clock = new ManualClock();
    let ran = 0;
    const dead = store.open("dead");
    await dead.start();
    const tick: Tick = { job: "orphan", at: at("00:01:00") };
    expect(await dead.claim(tick)).toBe("won");
    const survivor = replica("survivor", clock, "orphan", () => Promise.resolve(void (ran += 1)));
    await survivor.start();
    clock.advance(30_000);
    await survivor.idle();
    expect(ran).toBe(0); // the lease of the dead one still holds
    await store.endLeases();
    clock.advance(LEASE_MS);
    await survivor.idle();
    expect(ran).toBe(1);
    expect(await dead.claim(tick)).toBe("done");
    await survivor.drain();
    await dead.close();
  });

  it("takes up at its start what a replica left behind that is no more", async () => {
    const dead = store.open("gone");
    await dead.start();
    await dead.claim({ job: "left", at: at("00:00:00") });
    await store.endLeases();
    let ran = 0;
    const successor = replica("successor", new ManualClock(), "left", () => Promise.resolve(void (ran += 1)));
    await successor.start();
    await successor.idle();
    expect(ran).toBe(1);
    await successor.drain();
    await dead.close();
  });

  it("takes up, while it lives, a tick with which all died that had looked at it", async () => {
    const clock = new ManualClock();
    let ran = 0;
    const survivor = replica("survivor", clock, "lost", () => Promise.resolve(void (ran += 1)));
    await survivor.start();
    const dead = store.open("died");
    await dead.start();
    // The survivor came after that minute. Ticks of a job that the app has no more stand before it, and are nobody's.
    for (let n = 0; n <= 100; n++) await dead.claim({ job: "removed", at: at("00:00:00") - 3_600_000 + n });
    const tick: Tick = { job: "lost", at: at("00:00:00") };
    expect(await dead.claim(tick)).toBe("won");
    await store.endLeases();
    clock.advance(LEASE_MS - 1);
    await survivor.idle();
    expect(ran).toBe(0);
    clock.advance(1);
    await survivor.idle();
    expect([ran, await dead.claim(tick)]).toEqual([1, "done"]);
    clock.advance(LEASE_MS);
    await survivor.idle();
    expect(ran).toBe(1);
    await survivor.drain();
    await dead.close();
  });

  it("goes on asking for such ticks when the ledger was away for one of the questions", async () => {
    const clock = new ManualClock();
    let ran = 0;
    const ledger = store.open("asking");
    const asked = ledger.abandoned.bind(ledger);
    let isAway = false;
    ledger.abandoned = (jobs) => (isAway ? Promise.reject(new Error("away")) : asked(jobs));
    const run = (): Promise<void> => Promise.resolve(void (ran += 1));
    const jobs = [{ id: "asked", next: parseSchedule("every:60"), run }];
    const survivor = new Scheduler({ jobs, ledger, clock, log: quiet, leaseMs: LEASE_MS });
    await survivor.start();
    const dead = store.open("dead");
    await dead.start();
    await dead.claim({ job: "asked", at: at("00:00:00") });
    await store.endLeases();
    for (isAway of [true, false]) {
      clock.advance(LEASE_MS);
      await survivor.idle();
    }
    expect(ran).toBe(1);
    await survivor.drain();
    await dead.close();
  });

  it("runs every tick of a replica that was too busy to look at them in time", async () => {
    const clock = new ManualClock();
    const ticks: string[] = [];
    const busy = replica("busy", clock, "late", ({ at }) =>
      Promise.resolve(void ticks.push(new Date(at).toISOString())),
    );
    await busy.start();
    clock.advance(95_000); // from 00:00:30 past two ticks at once
    await busy.idle();
    clock.advance(0);
    await busy.idle();
    expect(ticks).toEqual([`${DAY}T00:01:00.000Z`, `${DAY}T00:02:00.000Z`]);
    await busy.drain();
  });

  // Redis forgets by itself.
  it.runIf(store === stores[0]?.[1])(
    "keeps ticks that have run for a week, however long its process lives",
    async () => {
      const ledger = store.open("old");
      await ledger.start();
      const ticks: Tick[] = [1, 2, 3].map((n) => ({ job: "kept", at: Date.parse(`2026-03-01T00:0${n}:00Z`) }));
      const end = async (tick: Tick): Promise<void> => {
        await ledger.claim(tick);
        await ledger.finish(tick, null);
      };
      await end(ticks[0] as Tick);
      await end(ticks[1] as Tick);
      const aged =
        "update groundwork.cron_run set finished_at = now() - interval '8 days' where job = 'kept' and tick = $1";
      await onDatabase(aged, [new Date(ticks[0]?.at ?? 0)]);
      await end(ticks[2] as Tick);
      const left = await onDatabase<{ tick: Date }>(
        "select tick from groundwork.cron_run where job = 'kept' order by tick",
      );
      expect(left.map(({ tick }) => tick.getTime())).toEqual(ticks.slice(1).map(({ at }) => at));
      await ledger.close();
    },
  );

  it("does not run a failed tick again", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const scheduler = replica("failing", clock, "failing", () => Promise.reject(new Error(`call ${++calls}`)));
    await scheduler.start();
    clock.advance(60_000 - 1);
    await scheduler.idle();
    clock.advance(LEASE_MS);
    await scheduler.idle();
    expect(calls).toBe(1);
    const other = store.open("other");
    expect(await other.claim({ job: "failing", at: at("00:01:00") })).toBe("done");
    await scheduler.drain();
    await other.close();
  });
});
