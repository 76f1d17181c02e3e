// Processes whose clocks differ by half a minute share a queue on Postgres: a job's lock is set and judged by one clock, the
// database's. By each process's own, the one that is ahead would take every job of the others for abandoned.
import { createRequire } from "node:module";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { AppDB } from "../../database";
import { newId } from "../../db/ids";
import { openQueue, openWorker } from "../bull";
import { jobOptions } from "../factory";
import { stopWorkers } from "../start";
import { byServerClock } from "../store/lock-clock";

const SKEW_MS = 30_000;
const LOCK_MS = 10_000;
const now = Date.now.bind(Date);
/** As if this process's clock were off by so much, for all that it does from now on. */
const shiftClock = (byMs: number): void => void vi.spyOn(Date, "now").mockImplementation(() => now() + byMs);

afterEach(() => vi.restoreAllMocks());
afterAll(() => stopWorkers(true));

async function onDatabase<Row extends object>(sql: string, values: unknown[]): Promise<Row[]> {
  const client = new pg.Client({ connectionString: AppDB.connectionString });
  await client.connect();
  const { rows } = await client.query<Row>(sql, values);
  await client.end();
  return rows;
}

const state = async (queue: string): Promise<{ state: string; stalled: number; lockLeftMs: number } | undefined> =>
  (
    await onDatabase<{ state: string; stalled: number; lockLeftMs: number }>(
      `select state::text, stalled_count as stalled,
              (locked_until_ms - extract(epoch from clock_timestamp()) * 1000)::float8 as "lockLeftMs"
         from bullmq.job where queue = $1`,
      [queue],
    )
  )[0];

// A statement that BullMQ words differently one day would go by the caller's clock again, and nothing would say so.
test("every statement of BullMQ that sets or judges a time goes by the database's clock", () => {
  const folder = join("node_modules", "bullmq", "dist", "cjs", "postgres", "sql-scripts.js");
  const { SQL_COMMANDS } = createRequire(import.meta.url)(join(process.cwd(), folder)) as {
    SQL_COMMANDS: Record<string, string>;
  };
  const changed = Object.entries(SQL_COMMANDS).filter(([, text]) => byServerClock(text) !== text);
  const timed = Object.entries(SQL_COMMANDS).filter(([, text]) =>
    /lock_ms|locked_until|stalled|now_ms|process_at\b|next_delay/i.test(text),
  );
  expect(changed.map(([name]) => name).sort()).toEqual(timed.map(([name]) => name).sort());
  for (const [name, text] of changed) expect(byServerClock(text), name).toContain("clock_timestamp");
});

/** What a worker of a process whose clock is off by `byMs` is given when it asks once. */
async function ask(name: string, byMs: number, limiter?: { max: number; duration: number }) {
  shiftClock(byMs);
  const worker = await openWorker(
    name,
    () => Promise.resolve(),
    { concurrency: 1, lockDuration: LOCK_MS, ...(limiter ? { limiter } : {}) },
    { failed: () => undefined },
  );
  const token = newId();
  const job = await worker.getNextJob(token, { block: false });
  const { processedOn } = (job ?? {}) as { processedOn?: number };
  const { blockUntil } = worker as unknown as { blockUntil: number };
  return { worker, token, job, agoMs: Date.now() - (processedOn ?? Number.NaN), waitMs: blockUntil - Date.now() };
}

async function queueWith(jobs: number) {
  const name = `test.clocks-${newId()}`;
  const queue = await openQueue(name);
  const data = { payload: {}, tenantId: null, headers: {} };
  await queue.addBulk(Array.from({ length: jobs }, () => ({ name, data, opts: { ...jobOptions(), jobId: newId() } })));
  return { name, queue };
}

test.each([-SKEW_MS, SKEW_MS])("a rate is counted by the database's clock, whoever asks (%i ms)", async (byMs) => {
  const { name, queue } = await queueWith(2);
  const limiter = { max: 1, duration: SKEW_MS / 2 };
  const first = await ask(name, byMs, limiter);
  // When it was taken, which its lock is renewed by, is told by its own clock.
  expect(Math.abs(first.agoMs)).toBeLessThan(SKEW_MS / 2);
  const second = await ask(name, -byMs, limiter);
  expect([first.job === undefined, second.job === undefined]).toEqual([false, true]);
  await Promise.all([first.worker.close(true), second.worker.close(true), queue.close()]);
});

test.each([-SKEW_MS, SKEW_MS])(
  "a job that was put back waits its time by the database's clock (%i ms)",
  async (byMs) => {
    const { name, queue } = await queueWith(1);
    const first = await ask(name, byMs);
    await first.job?.moveToDelayed(Date.now() + SKEW_MS / 2, first.token);
    const second = await ask(name, -byMs);
    expect(second.job).toBeUndefined();
    // It waits as long as it takes, by its own clock.
    expect(second.waitMs).toBeGreaterThan(0);
    expect(second.waitMs).toBeLessThanOrEqual(SKEW_MS / 2);
    await Promise.all([first.worker.close(true), second.worker.close(true), queue.close()]);
  },
);

test.each([-SKEW_MS, SKEW_MS])(
  "a job that a process whose clock is off by %i ms has taken stays its own",
  async (byMs) => {
    const name = `test.clocks-${newId()}`;
    const queue = await openQueue(name);
    await queue.addBulk([
      { name, data: { payload: {}, tenantId: null, headers: {} }, opts: { ...jobOptions(), jobId: newId() } },
    ]);
    let end = (): void => undefined;
    let runs = 0;
    const options = { concurrency: 1, lockDuration: LOCK_MS, stalledInterval: 50, maxStalledCount: 5 };
    const open = (): ReturnType<typeof openWorker> =>
      openWorker(name, () => new Promise((resolve) => (runs++, (end = resolve))), options, { failed: () => undefined });
    shiftClock(byMs);
    const holder = await open();
    void holder.run();
    await expect.poll(() => runs).toBe(1);
    const taken = await state(name);
    expect(taken?.lockLeftMs).toBeGreaterThan(0);
    expect(taken?.lockLeftMs).toBeLessThanOrEqual(LOCK_MS);

    // A neighbour whose clock is off the other way looks for lost jobs, twice and more.
    shiftClock(-byMs);
    const neighbour = await open();
    void neighbour.run();
    const looks = async (): Promise<number> => {
      const [row] = await onDatabase<{ value: string }>(
        "select value from bullmq.meta where queue = $1 and field = 'stalled-check'",
        [name],
      );
      return Number(row?.value ?? 0);
    };
    for (let seen = 0; seen < 3; seen++) {
      const before = await looks();
      await expect.poll(looks).toBeGreaterThan(before);
    }
    expect(runs).toBe(1);
    expect(await state(name)).toMatchObject({ state: "active", stalled: 0 });
    end();
    await expect.poll(async () => (await state(name))?.state).toBe("completed");
    await Promise.all([holder.close(true), neighbour.close(true)]);
    await queue.close();
  },
  60_000,
);
