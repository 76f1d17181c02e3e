// Processes of the app on one native database, their clocks 30 seconds apart: one calls off what another runs, and a schedule has
// one run a tick over all of them, by the database's clock.
import { expect, test } from "vitest";
import { z } from "zod";
import { systemQuery, withTenant } from "../../db/tenant";
import { createCaller } from "../../testing";
import { cancelTask } from "../cancel";
import { enqueue } from "../enqueue";
import { defineJob } from "../job";
import { taskFind, taskLogList } from "../store/task";
import { runReplicas } from "./replica-processes";

runReplicas();
const owner = createCaller("owner");

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
