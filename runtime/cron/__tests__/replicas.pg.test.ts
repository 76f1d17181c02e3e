// Three replicas in processes of their own and 50 ticks: one run each. The replica that has just begun a tick is killed
// several times; the tick moves to another one, no tick is missed, and none whose replica lived is run twice.
import { randomUUID } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { createHostSchema } from "../../host-schema";
import { createBrokerPool, migrateBroker } from "../../pubsub/postgres-pool";
import { PostgresLedger } from "../postgres-ledger";
import { database, until } from "../../pubsub/__tests__/kit";
import { bundleScript, Lines, Processes } from "../../pubsub/__tests__/support/processes";

const TICKS = 50;
const PERIOD_MS = 150;
const RUN_MS = 100;
const LEASE_MS = 1000;
const folder = mkdtempSync(join(tmpdir(), "crons-"));
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  script = await bundleScript(join(import.meta.dirname, "cron-replica.ts"), "cron-replica.mjs");
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
}, 60_000);
afterAll(async () => {
  await clone.drop();
  rmSync(folder, { recursive: true });
});

interface Run {
  process: number;
  ended: boolean;
}

/** Tick → its runs, in the order in which they began. */
function record(runs: Map<number, Run[]>, line: string): void {
  const [process, tick, what] = line.split(" ");
  const of = runs.get(Number(tick)) ?? [];
  runs.set(Number(tick), of);
  if (what === "start") of.push({ process: Number(process), ended: false });
  else of.filter((run) => run.process === Number(process)).forEach((run) => (run.ended = true));
}

describe.each([["Postgres"], ["Redis"]])("cron over three processes on %s", (kind) => {
  it.each([
    ["while all live", []],
    ["with the running replica killed at five of them", [5, 14, 23, 32, 41]],
  ])("runs each of 50 ticks once %s", { timeout: 240_000 }, async (_, killedAt) => {
    const name = `replicas-${randomUUID()}`;
    const file = join(folder, name);
    const firstFile = `${file}.first`;
    const lines = new Lines(file);
    const runs = new Map<number, Run[]>();
    const orders = {
      file,
      firstFile,
      job: name,
      ticks: TICKS,
      periodMs: PERIOD_MS,
      runMs: RUN_MS,
      leaseMs: LEASE_MS,
      ...(kind === "Redis" ? { redisUrl } : { url: clone.url }),
    };
    const replicas = new Processes(script, orders, 3);
    onTestFinished(() => replicas.end());
    await replicas.ready();
    writeFileSync(`${firstFile}.new`, String(Date.now() + 1_000));
    renameSync(`${firstFile}.new`, firstFile); // whole, whenever it is seen
    const armed: number[] = [];
    const look = (): Map<number, Run[]> => {
      replicas.check();
      for (const line of lines.next())
        if (line.endsWith(" armed")) armed.push(Number(line.split(" ")[1]));
        else record(runs, line);
      return runs;
    };
    /** From the first one on at which a replica was there. */
    const due = (): number[] => {
      const from = Math.min(...armed, ...runs.keys());
      return Array.from({ length: TICKS - from }, (_unused, n) => from + n);
    };

    const killed = new Set<number>();
    const state = (): string => `killed ${[...killed].join()}; ${JSON.stringify([...runs])}`;
    for (const tick of killedAt) {
      await until(() => look().has(tick), 30_000, undefined, state);
      killed.add(await replicas.killProcess(runs.get(tick)![0]!.process));
    }
    const hasEnded = (tick: number): boolean =>
      (look().get(tick) ?? []).some(({ ended, process }) => ended && !killed.has(process)) ||
      runs.get(tick)?.at(-1)?.ended === true;
    const isOver = (): boolean => look().size > 0 && due().every(hasEnded);
    await until(isOver, 60_000, undefined, state);

    expect([...runs.keys()].sort((a, b) => a - b)).toEqual(due());
    const livingTwice = [...runs].filter(([, of]) => of.filter(({ process }) => !killed.has(process)).length > 1);
    expect(livingTwice, "ticks that two living replicas ran").toEqual([]);
    const again = [...runs].filter(([, of]) => of.length > 1);
    expect(
      again.filter(([, of]) => !killed.has(of[0]!.process)),
      "ticks run again though their replica lived",
    ).toEqual([]);
    expect(
      again.every(([, of]) => of.at(-1)?.ended),
      "a tick that was taken over ran to its end",
    ).toBe(true);
    for (const tick of killedAt) expect(runs.get(tick), `tick ${tick} moved`).toHaveLength(2);
  });
});

describe("a first start", () => {
  // Each of them adds to the host's schema on a connection of its own, and several processes start together.
  it("makes the schema once, however many parts and processes make it at the same time", async () => {
    const first = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
    const pool = createBrokerPool(first.url, 4, 30_000);
    const ledgers = [new PostgresLedger(first.url, "one"), new PostgresLedger(first.url, "two")];
    const other = await pool.connect();
    onTestFinished(async () => {
      other.release(true);
      await Promise.all([pool.end(), ...ledgers.map((ledger) => ledger.close())]);
      await first.drop();
    });
    await other.query(`begin; ${createHostSchema}`);
    const starting = Promise.all([migrateBroker(pool), ...ledgers.map((ledger) => ledger.start())]);
    // On connections of their own: a transaction sees the other sessions as they were when it first looked.
    const waiting = async (): Promise<number> => {
      const { rows } = await pool.query<{ waiting: number }>(
        `select count(*)::int as waiting from pg_locks
         where not granted and locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      );
      return rows[0]?.waiting ?? 0;
    };
    await until(async () => (await waiting()) >= 3, 60_000, starting);
    expect(await waiting()).toBe(3);
    await other.query("commit");
    await starting;
  }, 90_000);
});
