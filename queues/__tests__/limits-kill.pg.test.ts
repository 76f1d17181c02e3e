// A process that is killed while it runs the one job that a tenant may have at a time: the job runs again elsewhere, in its own place, and
// what waits for it comes after it, one at a time, in processes whose clocks are 30 seconds apart.
import { expect, test } from "vitest";
import { z } from "zod";
import { systemQuery, withTenant } from "../../db/tenant";
import { createCaller } from "../../testing";
import { enqueueFlow, flowJob } from "../flow";
import { defineJob } from "../job";
import { taskFind, taskLogList } from "../store/task";
import { runReplicas } from "./replica-processes";

const replicas = runReplicas();
const owner = createCaller("owner");

test("a place of a process that is killed is its job's, nothing that waits for it is lost, and what waits for them all comes once", async () => {
  const gated = defineJob({
    name: "replica:gated",
    payload: z.object({ holdsAtFirst: z.boolean() }),
    timeoutMs: 600_000,
  });
  const parent = defineJob({ name: "replica:parent", payload: z.object({}), timeoutMs: 10_000 });
  const flowId = await withTenant(owner, (tx) =>
    enqueueFlow(
      tx,
      flowJob(parent, {}),
      [true, false, false, false, false, false, false].map((holdsAtFirst) => flowJob(gated, { holdsAtFirst })),
    ),
  );
  const [held] = await systemQuery<{ id: string }>(
    "test",
    "select id from queues.flow_child where flow_id = $1 and place = 1",
    [flowId],
  );
  const pids = async (): Promise<string[]> => (await taskLogList(owner, held?.id ?? "", 0, 10)).map(({ text }) => text);
  await expect.poll(pids).toHaveLength(1);
  const results = (): Promise<{ began: number; ended: number }[]> =>
    systemQuery(
      "test",
      `select (result ->> 'beganMs')::float8 as began, (result ->> 'endedMs')::float8 as ended
         from queues.task where job = $1 and state = 'completed' order by 1`,
      [gated.name],
    );
  const waits = (): Promise<object[]> =>
    systemQuery("test", "select 1 from queues.tenant_run where queue = $1 and state = 'waiting'", [gated.name]);
  // While it holds the one place all others wait, but those that came before it.
  await expect.poll(async () => (await waits()).length + (await results()).length).toBe(6);
  const [holder] = await pids();
  replicas.find(({ child }) => `pid ${child.pid}` === holder)?.child.kill("SIGKILL");

  await expect.poll(results).toHaveLength(7);
  const runs = await results();
  for (const [index, { began }] of runs.entries())
    if (index > 0) expect(began).toBeGreaterThanOrEqual(runs[index - 1]?.ended ?? Number.NaN);
  const ranAgain = await taskFind(owner, held?.id ?? "");
  expect(`pid ${(ranAgain?.result as { pid: number }).pid}`).not.toBe(holder);
  await expect.poll(async () => (await taskFind(owner, flowId))?.state).toBe("completed");
  expect(await taskFind(owner, flowId)).toMatchObject({
    attempts: 1,
    result: { children: Array.from({ length: 7 }, () => "completed") },
  });
  expect(await systemQuery("test", "select 1 from queues.tenant_run where queue = $1", [gated.name])).toEqual([]);
});
