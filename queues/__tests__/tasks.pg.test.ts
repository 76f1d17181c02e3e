// What only a server shows: a table that somebody holds.
import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery, withSystem } from "../../db/tenant";
import { createCaller } from "../../testing";
import { defineJob } from "../job";
import { makeScheduler, takeTicks } from "../schedules";
import { endTask, flushTasks, RunningTask } from "../tasks";

/** Of a transaction. */
const outside = AsyncLocalStorage.snapshot();

const WAITING = "select count(*)::int as n from pg_locks where relation = 'queues.task_log'::regclass and not granted";

test("while the table of tasks is held, what they tell waits on one connection and comes afterwards", async () => {
  const { tenantId } = createCaller("owner");
  const id = newId();
  const task = new RunningTask({ id, tenantId, job: "test:telling", attempt: 1, actor: "system" });
  await withSystem("test", async (tx) => {
    await tx.execute("lock table queues.task_log in access exclusive mode");
    let told = 0;
    const telling = setInterval(() => task.addLine(`line ${told++}`), 20);
    try {
      await vi.waitUntil(() => told > 50, { timeout: 90_000 });
      expect(await tx.query(WAITING)).toEqual([{ n: 1 }]);
    } finally {
      clearInterval(telling);
    }
  });
  endTask(task, { state: "completed", result: null });
  await vi.waitUntil(
    async () =>
      (await systemQuery("test", "select 1 from queues.task where id = $1 and ended_at is not null", [id])).length,
    { timeout: 90_000 },
  );
  const [kept] = await systemQuery<{ n: number }>(
    "test",
    "select count(*)::int as n from queues.task_log where task_id = $1",
    [id],
  );
  expect(kept?.n).toBeGreaterThan(50);
});

test("what could not be written for a lock comes later: lines, progress and ends", async () => {
  const { tenantId } = createCaller("owner");
  const run = (): RunningTask =>
    new RunningTask({ id: newId(), tenantId, job: "test:telling", attempt: 1, actor: "system" });
  const [task, over] = [run(), run()];
  await flushTasks();
  await withSystem("test", async (tx) => {
    await tx.execute("lock table queues.task_log in access exclusive mode");
    task.addLine("told while it was held");
    task.setProgress(0.5);
    endTask(over, { state: "completed", result: null });
    // When the time to wait for a lock is over.
    expect(await flushTasks()).toBe(false);
  });
  await flushTasks();
  expect(
    await systemQuery(
      "test",
      "select l.text, t.progress from queues.task t join queues.task_log l on l.task_id = t.id where t.id = $1",
      [task.facts.id],
    ),
  ).toEqual([{ text: "told while it was held", progress: 0.5 }]);
  expect(await systemQuery("test", "select state from queues.task where id = $1", [over.facts.id])).toEqual([
    { state: "completed" },
  ]);
  endTask(task, { state: "completed", result: null });
});

test("while the tasks cannot be written, what they tell is bounded; their ends come afterwards", async () => {
  const { tenantId } = createCaller("owner");
  const ids = Array.from({ length: 100 }, () => newId());
  const stateOfAll = (): Promise<unknown> =>
    systemQuery("test", "select state, count(*)::int n from queues.task where id = any($1::uuid[]) group by 1", [ids]);
  await withSystem("test", async (tx) => {
    await tx.execute("lock table queues.task in access exclusive mode");
    for (const id of ids) {
      const task = new RunningTask({ id, tenantId, job: "test:telling", attempt: 1, actor: "system" });
      for (let line = 0; line < 200; line++) task.addLine(`line ${line}`);
      endTask(task, { state: "completed", result: null });
    }
    expect(await flushTasks()).toBe(false);
  });
  await vi.waitUntil(flushTasks, { timeout: 90_000 });
  await expect.poll(stateOfAll).toEqual([{ state: "completed", n: ids.length }]);
  // Those of fifty of them, of two hundred lines each.
  const [kept] = await systemQuery<{ n: number }>(
    "test",
    "select count(*)::int as n from queues.task_log where task_id = any($1::uuid[])",
    [ids],
  );
  expect(kept?.n).toBe(10_000);
});

test("while another process holds the schedule that is due, this one does not ask without a pause", async () => {
  const job = defineJob({ name: `test:t-${newId()}`, payload: z.object({}), timeoutMs: 1_000 });
  const scheduler = makeScheduler(job);
  await scheduler.every("s", 600_000, {});
  await systemQuery("test", "update queues.schedule set next_at = now() where job = $1", [job.name]);
  await withSystem("test", async (tx) => {
    await tx.query("select 1 from queues.schedule where job = $1 for update", [job.name]);
    expect(await outside(takeTicks)).toBe(250);
  });
  expect(await takeTicks()).toBe(0);
  expect(await takeTicks()).toBeGreaterThan(250);
  await scheduler.remove("s");
});
