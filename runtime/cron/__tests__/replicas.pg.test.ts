// Three replicas in processes of their own: each tick runs once. A replica is killed while it runs a tick, five times; the
// tick moves to another one, no tick is missed, and none whose replica lived is run twice.
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
const KILLS = 5;
/** Ticks behind the last kill. */
const AFTER = 10;
const PERIOD_MS = 150;
const RUN_MS = 100;
/** A replica that lives on a busy machine keeps it. */
const LEASE_MS = 2000;
const folder = mkdtempSync(join(tmpdir(), "crons-"));
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  script = await bundleScript(join(import.meta.dirname, "cron-replica.ts"), "cron-replica.mjs");
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(async () => {
  await clone.drop();
  rmSync(folder, { recursive: true });
});

interface Run {
  process: number;
  ended: boolean;
}

/** Reads what the replicas wrote. */
class RunRecord {
  /** Tick → its runs, in the order in which they began. */
  readonly runs = new Map<number, Run[]>();
  /** From which tick on each replica was there. */
  readonly armed: number[] = [];
  /** Runs that go on until their process is killed. */
  readonly held: { process: number; tick: number }[] = [];
  readonly #lines: Lines;

  constructor(file: string) {
    this.#lines = new Lines(file);
  }

  look(): this {
    for (const line of this.#lines.next()) {
      const [process, tick, what] = line.split(" ");
      this.#note(Number(process), Number(tick), what);
    }
    return this;
  }

  #note(process: number, tick: number, what?: string): void {
    const of = this.runs.get(tick) ?? [];
    if (what === "armed") this.armed.push(tick);
    else if (what === "held") this.held.push({ process, tick });
    else if (what === "start") this.runs.set(tick, [...of, { process, ended: false }]);
    else of.filter((run) => run.process === process).forEach((run) => (run.ended = true));
  }
}

describe.each([["Postgres"], ["Redis"]])("cron over three processes on %s", (kind) => {
  it.each([
    ["while all live", 0],
    ["with the replica that runs a tick killed five times", KILLS],
  ])("runs each tick once %s", async (_, kills) => {
    const name = `replicas-${randomUUID()}`;
    const file = join(folder, name);
    const [firstFile, holdFile] = [`${file}.first`, `${file}.hold`];
    const record = new RunRecord(file);
    const orders = {
      ...{ file, firstFile, holdFile, job: name, periodMs: PERIOD_MS, runMs: RUN_MS, leaseMs: LEASE_MS },
      ...(kind === "Redis" ? { redisUrl } : { url: clone.url }),
    };
    const replicas = new Processes(script, orders, 3);
    onTestFinished(() => replicas.end());
    await replicas.ready();
    writeFileSync(`${firstFile}.new`, String(Date.now() + 1_000));
    renameSync(`${firstFile}.new`, firstFile); // whole, whenever it is seen
    const killed = new Set<number>();
    const state = (): string => `killed ${[...killed].join()}; ${JSON.stringify([...record.runs])}`;
    const wait = (condition: () => boolean): Promise<void> =>
      until(() => (replicas.check(), record.look(), condition()), 90_000, undefined, state);

    await wait(() => record.armed.length === 3 && record.runs.size > 0);
    for (let kill = 0; kill < kills; kill++) {
      writeFileSync(holdFile, "");
      await wait(() => record.held.length === kill + 1);
      killed.add(await replicas.killProcess(record.held[kill]!.process));
      // A tick at which no replica is there is nobody's.
      await wait(() => record.armed.length === 3 + kill + 1);
    }
    const from = Math.min(...record.armed, ...record.runs.keys());
    const last = kills === 0 ? from + TICKS - 1 : Math.max(...record.runs.keys()) + AFTER;
    const due = Array.from({ length: last - from + 1 }, (_unused, n) => from + n);
    await wait(() => due.every((tick) => record.runs.get(tick)?.at(-1)?.ended));

    const runs = [...record.runs].filter(([tick]) => tick <= last);
    expect(runs.map(([tick]) => tick).sort((a, b) => a - b)).toEqual(due);
    for (const [tick, of] of runs) {
      // One that was killed may have begun, or just ended, the tick before or after too.
      const before = of.slice(0, -1).map(({ process }) => process);
      expect(before, `tick ${tick} moved from those that were killed`).toEqual(before.filter((one) => killed.has(one)));
      expect(of.at(-1)?.ended, `tick ${tick} ran to its end`).toBe(true);
    }
    for (const { tick } of record.held) expect(record.runs.get(tick)?.length, `tick ${tick} moved`).toBeGreaterThan(1);
    expect(record.held).toHaveLength(kills);
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
  });
});
