// Processes of the app on one native database, their clocks 30 seconds apart: one calls off what another runs, and a schedule has
// one run a tick over all of them, by the database's clock.
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { copyOfApp } from "../../bench/app-copy";
import { served, spawnApp, type AppProcess } from "../../bench/app-process";
import { AppDB } from "../../database";
import { systemQuery, withTenant } from "../../db/tenant";
import { masterKeyOfTests } from "../../security/derived-key";
import { createCaller } from "../../testing";
import { cancelTask } from "../cancel";
import { enqueue } from "../enqueue";
import { defineJob } from "../job";
import { stopWorkers } from "../start";
import { taskFind, taskLogList } from "../store/task";

const FIXTURE = join(import.meta.dirname, "fixtures", "replica");
const folder = copyOfApp();
cpSync(join(FIXTURE, "replica"), join(folder, "replica"), { recursive: true });
const replicas: AppProcess[] = [];
const owner = createCaller("owner");

beforeAll(async () => {
  for (const byMs of [-15_000, 15_000]) {
    const env = {
      DATABASE_URL: AppDB.connectionString,
      MasterKey: masterKeyOfTests?.() ?? "",
      GROUNDWORK_STATE_DIR: join(folder, `.state${byMs}`),
      GROUNDWORK_TEST_CLOCK_MS: String(byMs),
      NODE_ENV: "development",
      REDIS_URL: undefined,
    };
    replicas.push(await served(spawnApp(folder, ["--import", join(FIXTURE, "shifted-clock.mjs")], env)));
  }
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await stopWorkers(true);
  rmSync(folder, { recursive: true, force: true });
});

test("a task that another process runs is aborted there", async () => {
  const endless = defineJob({ name: "replica:endless", payload: z.object({}), timeoutMs: 600_000 });
  const id = await withTenant(owner, (tx) => enqueue(tx, endless, {}));
  const lines = async (): Promise<string[]> => (await taskLogList(owner, id, 0, 10)).map(({ text }) => text);
  await expect.poll(lines).toEqual(["begun"]);
  expect(await cancelTask(owner, id)).toMatchObject({ isCanceling: true, endedAt: null });
  await expect.poll(async () => (await taskFind(owner, id))?.state).toBe("canceled");
});

test("a schedule has one run a tick over all processes, none before its time", async () => {
  const runs = async (): Promise<number> =>
    (
      await systemQuery(
        "test",
        "select 1 from queues.task where job = 'replica:tick' and state = 'completed' and attempts = 1",
      )
    ).length;
  await expect.poll(runs).toBeGreaterThan(5);
  const [row] = await systemQuery<{ runs: number; seconds: number }>(
    "test",
    `select count(*)::int as runs, extract(epoch from max(o.created_at) - min(o.created_at))::float8 as seconds
       from events.outbox o where o.type = 'replica:tick'`,
  );
  // As many as there were seconds, less those that were missed while nobody looked: by its own clock a process would be 15 early.
  expect(row?.runs).toBeLessThanOrEqual(Math.ceil(row?.seconds ?? 0) + 1);
  const [state] = await systemQuery<{ behindMs: number }>(
    "test",
    `select (extract(epoch from next_at - clock_timestamp()) * 1000)::float8 as "behindMs" from queues.schedule where job = 'replica:tick'`,
  );
  expect(state?.behindMs).toBeLessThanOrEqual(1_000);
});
