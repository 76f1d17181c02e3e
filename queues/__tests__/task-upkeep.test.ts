// Which open tasks the upkeep looks at: not again and again at those that wait for their time.
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { systemQuery, withTenant } from "../../db/tenant";
import { createCaller } from "../../testing";
import { enqueue } from "../enqueue";
import { defineJob } from "../job";
import { stopWorkers } from "../start";
import { taskCancel } from "../store/task";
import { healTasks } from "../task-upkeep";

const owner = createCaller("owner");
const job = defineJob({ name: "test:reminder", payload: z.object({ n: z.number() }), timeoutMs: 5_000 });
const HOUR_MS = 3_600_000;

// The queues that the upkeep has opened.
afterAll(() => stopWorkers(true));

/** Milliseconds until the task counts as heard of; negative when it was. */
const seenIn = async (id: string): Promise<number | null | undefined> =>
  (
    await systemQuery<{ ms: number | null }>(
      "test",
      "select (extract(epoch from seen_at - now()) * 1000)::float8 as ms from queues.task where id = $1",
      [id],
    )
  )[0]?.ms;

test("a task whose job waits in the outbox is looked at when its time has come, or it is canceled", async () => {
  const ask = (delayMs: number): Promise<string> => withTenant(owner, (tx) => enqueue(tx, job, { n: 1 }, { delayMs }));
  const [later, sooner] = [await ask(10 * HOUR_MS), await ask(HOUR_MS)];
  await systemQuery(
    "test",
    "update queues.task set created_at = now() - interval '1 hour', seen_at = now() - interval '11 minutes' where id = any($1::uuid[])",
    [[later, sooner]],
  );
  await healTasks();
  expect(await seenIn(later)).toBeGreaterThan(9 * HOUR_MS);
  expect(await seenIn(sooner)).toBeGreaterThan(0);
  expect(await seenIn(sooner)).toBeLessThanOrEqual(HOUR_MS);
  await withTenant(owner, (tx) => taskCancel(tx, owner.tenantId, later));
  expect(await seenIn(later)).toBeLessThanOrEqual(0);
  const states = await systemQuery("test", "select state from queues.task where id = any($1::uuid[])", [
    [later, sooner],
  ]);
  expect(states).toEqual([{ state: "waiting" }, { state: "waiting" }]);
});
