// What people see of their jobs, and that they can call them off.
import { PassThrough } from "node:stream";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { queues } from "~encore/clients";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { actorOf } from "../../security/principal";
import { onBehalfOf } from "../../security/provenance";
import { createCaller, failDestination, runRelayAndWorkers } from "../../testing";
import { cancelTask as callOff } from "../cancel";
import { appendJob, DELAY_HEADER, enqueue } from "../enqueue";
import { defineJob, type JobDefinition } from "../job";
import { admitFollower, followTask } from "../task-stream";
import { makeQueue } from "../factory";
import { healTasks, purgeTasks } from "../task-upkeep";
import { endTask, flushTasks, RunningTask } from "../tasks";
import { makeWorker, UnrecoverableJobError, type JobContext } from "../worker";

const payload = z.object({ n: z.number() });
const retry = { attempts: 2, firstDelayMs: 1, maxDelayMs: 5, jitter: 0 };
const job = (name: string): JobDefinition<{ n: number }> => defineJob({ name, payload, retry, timeoutMs: 20_000 });
const telling = job("test:telling");
const failing = job("test:failing");
const endless = job("test:endless");
const ended: string[] = [];
const calledOff: unknown[] = [];
const begun: string[] = [];
const owner = createCaller("owner");

makeWorker(telling, async ({ n }, ctx) => {
  ctx.log("begins\0");
  // Told inside of a transaction, as rules do: written outside of it.
  await withTenant(owner, async (tx) => {
    await tx.query("select 1");
    ctx.progress(0.25);
    await new Promise((resolve) => setTimeout(resolve, 250));
    ctx.log("x".repeat(2_000));
  });
  for (const wrong of [-1, 2, NaN]) ctx.progress(wrong);
  for (let line = 0; line < 500; line++) ctx.log(`line ${line}`);
  return { doubled: n * 2 };
});
makeWorker(failing, ({ n }) => Promise.reject(n === 1 ? new UnrecoverableJobError("never") : new Error("not now")));
const untilAborted = ({ signal, jobId }: JobContext): Promise<void> =>
  new Promise((_, reject) => {
    begun.push(jobId);
    signal.addEventListener("abort", () => {
      ended.push(jobId);
      reject(signal.reason as Error);
    });
  });
makeWorker(endless, (_payload, ctx) => untilAborted(ctx), {
  onFailed: (_tx, { n }, { reason }) => Promise.resolve(void calledOff.push([n, reason])),
});

runRelayAndWorkers();

const ask = (which: JobDefinition<{ n: number }>, n = 1, delayMs?: number): Promise<string> =>
  withTenant(owner, (tx) => enqueue(tx, which, { n }, delayMs === undefined ? {} : { delayMs }));
/** One that waits in its queue, as versions handed it over that kept delays there. */
const askInQueue = (which: JobDefinition<{ n: number }>, n: number): Promise<string> =>
  withTenant(owner, (tx) => {
    const headers = { [DELAY_HEADER]: "600000" };
    return appendJob(tx, { id: newId(), job: which.name, tenantId: owner.tenantId, payload: { n }, headers });
  });
const stateOf = async (id: string): Promise<string> => (await queues.getTask({ id }, owner)).state;
const reason = (work: Promise<unknown>): Promise<unknown> => work.then(() => "ok", reasonOf);

describe("a task", () => {
  test("is there with the transaction that enqueues it, and not without", async () => {
    const id = await ask(telling, 1, 60_000);
    expect(await queues.getTask({ id }, owner)).toMatchObject({
      id,
      job: "test:telling",
      state: "waiting",
      progress: 0,
      attempts: 0,
      log: [],
    });
    let lost = "";
    await withTenant(owner, async (tx) => {
      lost = await enqueue(tx, telling, { n: 1 });
      throw new Error("rolled back");
    }).catch(() => undefined);
    expect(await reason(queues.getTask({ id: lost }, owner))).toBe("task_not_found");
  });

  test("tells how far it is while it runs, and its result and bounded lines when it is over", async () => {
    const id = await ask(telling, 21);
    await expect.poll(async () => (await queues.getTask({ id }, owner)).progress).toBeGreaterThan(0);
    await expect.poll(() => stateOf(id)).toBe("completed");
    const { log, ...task } = await queues.getTask({ id }, owner);
    expect(task).toMatchObject({
      state: "completed",
      progress: 1,
      attempts: 1,
      canceling: false,
      result: { doubled: 42 },
    });
    expect(log).toHaveLength(200);
    expect(log[0]).toMatchObject({ text: "begins" });
    expect(log[1]?.text).toBe("x".repeat(1_000));
    expect(log[199]).toMatchObject({ text: "further lines are not kept" });
  });

  test("says why it failed, after its attempts or at once", async () => {
    const [often, once] = [await ask(failing, 0), await ask(failing, 1)];
    await expect.poll(() => stateOf(often)).toBe("failed");
    await expect.poll(() => stateOf(once)).toBe("failed");
    expect(await queues.getTask({ id: often }, owner)).toMatchObject({ error: "attempts_exhausted", attempts: 2 });
    expect(await queues.getTask({ id: once }, owner)).toMatchObject({ error: "unrecoverable", attempts: 1 });
  });

  test("is listed by state and job, page by page, for its own organisation only", async () => {
    const stranger = createCaller("owner");
    expect(await queues.listTasks({}, stranger)).toEqual({ tasks: [] });
    const failed = await queues.listTasks({ state: "failed", limit: 1 }, owner);
    expect(failed.tasks).toMatchObject([{ job: "test:failing", state: "failed" }]);
    const rest = await queues.listTasks({ state: "failed", ...(failed.next && { cursor: failed.next }) }, owner);
    expect(rest.tasks).toHaveLength(1);
    const [task] = failed.tasks;
    expect(await reason(queues.getTask({ id: task!.id }, stranger))).toBe("task_not_found");
    expect(await reason(queues.cancelTask({ id: task!.id }, stranger))).toBe("task_not_found");
    expect(await reason(queues.getTask({ id: "no uuid" }, owner))).toBe("task_not_found");
  });

  test("is for whoever caused it, and for who manages everybody's", async () => {
    const [member, colleague] = [createCaller("member", owner), createCaller("member", owner)];
    const id = await withTenant(owner, (tx) =>
      onBehalfOf(actorOf(member.principal), () => enqueue(tx, telling, { n: 3 }, { delayMs: 60_000 })),
    );
    expect((await queues.getTask({ id }, member)).state).toBe("waiting");
    expect((await queues.listTasks({}, member)).tasks.map((task) => task.id)).toEqual([id]);
    expect((await queues.listTasks({}, colleague)).tasks).toEqual([]);
    expect(await reason(queues.getTask({ id }, colleague))).toBe("task_not_found");
    expect(await reason(queues.cancelTask({ id }, colleague))).toBe("task_not_found");
    expect((await queues.getTask({ id }, createCaller("admin", owner))).state).toBe("waiting");
    // Ids that are nobody's are answered alike, whoever asks.
    for (const unknown of [newId(), "no uuid"])
      expect(await reason(queues.getTask({ id: unknown }, colleague))).toBe("task_not_found");
    expect((await queues.cancelTask({ id }, member)).id).toBe(id);
    await expect.poll(() => stateOf(id)).toBe("canceled");
  });
});

describe("canceling", () => {
  test("aborts a task that runs, wherever it does, and tells its owner; it runs no more", async () => {
    const id = await ask(endless, 7);
    await expect.poll(() => begun.includes(id)).toBe(true);
    expect(await queues.cancelTask({ id }, owner)).toMatchObject({ canceling: true });
    await expect.poll(() => stateOf(id)).toBe("canceled");
    expect(ended).toContain(id);
    expect(calledOff).toContainEqual([7, "canceled"]);
    expect(await queues.cancelTask({ id }, owner)).toMatchObject({ state: "canceled", canceling: false });
    const letters = await systemQuery("test", "select 1 from queues.dead_letter where job_id = $1", [id]);
    expect(letters).toEqual([]);
    expect(begun.filter((other) => other === id)).toHaveLength(1);
  });

  test("keeps one that waits in its queue from ever running, and tells its owner at once", async () => {
    const id = await askInQueue(endless, 8);
    await expect.poll(async () => (await makeQueue(endless.name)).getJobState(id)).toBe("delayed");
    expect(await queues.cancelTask({ id }, owner)).toMatchObject({ state: "canceled", canceling: false });
    await expect.poll(() => calledOff).toContainEqual([8, "canceled"]);
    expect(begun).not.toContain(id);
  });

  test("keeps one that is still in the outbox from running when it is handed over", async () => {
    failDestination("job", 1);
    const id = await ask(endless, 9, 600_000);
    expect(await queues.cancelTask({ id }, owner)).toMatchObject({ job: endless.name });
    await expect.poll(() => stateOf(id)).toBe("canceled");
    expect(calledOff).toContainEqual([9, "canceled"]);
    expect(begun).not.toContain(id);
  });

  test("keeps one from running that is just being handed over", async () => {
    const queue = await makeQueue(endless.name);
    const addBulk = queue.addBulk.bind(queue);
    const whileHandedOver = vi.spyOn(queue, "addBulk").mockImplementationOnce(async (jobs) => {
      const answer = await callOff(owner.principal, jobs[0]?.opts.jobId ?? "");
      expect(answer).toMatchObject({ state: "waiting", isCanceling: true });
      return addBulk(jobs);
    });
    const id = await askInQueue(endless, 10);
    await expect.poll(() => stateOf(id)).toBe("canceled");
    expect(whileHandedOver).toHaveBeenCalled();
    expect(calledOff).toContainEqual([10, "canceled"]);
    expect(begun).not.toContain(id);
  });

  test("is too late for one that has ended", async () => {
    const { tasks } = await queues.listTasks({ state: "completed" }, owner);
    expect(await reason(queues.cancelTask({ id: tasks[0]!.id }, owner))).toBe("task_ended");
  });
});

describe("a stream of a task", () => {
  interface Event {
    event: string;
    id: number;
    data: { state?: string; text?: string };
  }
  const eventsIn = (text: string): Event[] =>
    text
      .split("\n\n")
      .filter((part) => part.startsWith("event"))
      .map((part) => {
        const [event = "", id = "", data = ""] = part.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
        return { event, id: Number(id), data: JSON.parse(data) as Event["data"] };
      });
  const reading = { mayGoOn: () => Promise.resolve(true) };
  const follow = async (id: string, after = 0): Promise<Event[]> => {
    const to = new PassThrough();
    let text = "";
    to.on("data", (part: Buffer) => (text += part.toString()));
    await followTask(owner.principal, { id, after, reading }, to, (row) => ({ state: row.state }));
    return eventsIn(text);
  };

  test("tells each change and each line once, in order, and ends with the task", async () => {
    const id = await ask(telling, 3);
    const events = await follow(id);
    const states = events.filter(({ event }) => event === "task").map(({ data }) => data.state);
    expect(states.at(-1)).toBe("completed");
    const lines = events.filter(({ event }) => event === "log");
    expect(lines).toHaveLength(200);
    expect(lines.map(({ id: place }) => place)).toEqual(
      [...new Set(lines.map(({ id: place }) => place))].sort((a, b) => a - b),
    );
    // Who comes again goes on behind the line that they have.
    const half = lines[99]!.id;
    const rest = await follow(id, half);
    expect(rest.filter(({ event }) => event === "log").map(({ id: place }) => place)).toEqual(
      lines.slice(100).map(({ id: place }) => place),
    );
    expect(rest[0]).toMatchObject({ event: "task", id: half, data: { state: "completed" } });
  });

  test("holds nothing for a reader that does not read, who then has it all", async () => {
    const id = await ask(telling, 4);
    const to = new PassThrough({ highWaterMark: 64 });
    const following = followTask(owner.principal, { id, after: 0, reading }, to, (row) => ({ state: row.state }));
    await expect.poll(() => stateOf(id)).toBe("completed");
    expect(to.readableLength + to.writableLength).toBeLessThan(30_000);
    let text = "";
    to.on("data", (part: Buffer) => (text += part.toString()));
    await following;
    const events = eventsIn(text);
    expect(events.filter(({ event }) => event === "log")).toHaveLength(200);
    expect(events.filter(({ event }) => event === "task").at(-1)?.data.state).toBe("completed");
  });

  test("ends when its reader may not read any more, though the task goes on", async () => {
    const id = await ask(telling, 6, 60_000);
    const to = new PassThrough();
    let text = "";
    to.on("data", (part: Buffer) => (text += part.toString()));
    let asked = 0;
    const putOut = { mayGoOn: () => Promise.resolve(asked++ === 0) };
    await followTask(owner.principal, { id, after: 0, reading: putOut }, to, (row) => ({ state: row.state }));
    expect(eventsIn(text)).not.toEqual([]);
    expect(text).not.toContain("completed");
    expect(asked).toBe(2);
  });

  test("ends when its reader leaves, and a caller has eight at most", async () => {
    const id = await ask(telling, 5, 60_000);
    const to = new PassThrough();
    const following = followTask(owner.principal, { id, after: 0, reading }, to, (row) => row.state);
    setTimeout(() => to.destroy(), 50);
    await following;
    const leaves = Array.from({ length: 8 }, () => admitFollower(owner.principal));
    expect(() => admitFollower(owner.principal)).toThrow("too many requests");
    leaves[0]?.();
    leaves.push(admitFollower(owner.principal));
    for (const leave of leaves.slice(1)) leave();
  });
});

describe("upkeep", () => {
  let old: string;
  let lost: string;
  beforeAll(async () => {
    [old, lost] = [newId(), newId()];
    const insert = (id: string, state: string, ended: boolean) =>
      systemQuery(
        "test",
        `insert into queues.task (id, tenant_id, job, actor, state, created_at, seen_at, ended_at)
         values ($1, $2, 'test:old', 'system', $3, now() - interval '8 days', now() - interval '2 hours', case when $4 then now() - interval '8 days' end)`,
        [id, owner.tenantId, state, ended],
      );
    await insert(old, "completed", true);
    await insert(lost, "running", false);
    await systemQuery(
      "test",
      "insert into queues.task_log (tenant_id, task_id, seq, text) values ($1, $2, 1, 'a line')",
      [owner.tenantId, old],
    );
  });

  test("removes tasks a week after their end, with their lines, and ends those whose process is gone", async () => {
    await healTasks();
    await purgeTasks();
    expect(await reason(queues.getTask({ id: old }, owner))).toBe("task_not_found");
    expect(await systemQuery("test", "select 1 from queues.task_log where task_id = $1", [old])).toEqual([]);
    expect(await queues.getTask({ id: lost }, owner)).toMatchObject({ state: "failed", error: "lost" });
  });

  // As a process leaves them that dies between the end of a run and its note.
  test("finds out what became of those that nobody told of, and leaves those alone that wait", async () => {
    const [over, dead, waiting] = [await ask(telling, 4), await ask(failing, 1), await askInQueue(telling, 5)];
    const stopped = await ask(telling, 6);
    await expect.poll(() => stateOf(stopped)).toBe("completed");
    await expect.poll(() => stateOf(over)).toBe("completed");
    await expect.poll(() => stateOf(dead)).toBe("failed");
    const queue = await makeQueue(telling.name);
    await expect.poll(() => queue.getJobState(waiting)).toBe("delayed");
    await systemQuery(
      "test",
      `update queues.task set state = case when id = $3 then 'waiting' else 'running' end, progress = null, reason = null, ended_at = null,
              cancel_at = case when id = $4 then now() end,
              created_at = now() - interval '1 day', seen_at = now() - interval '11 minutes' where id in ($1, $2, $3, $4)`,
      [over, dead, waiting, stopped],
    );
    await healTasks();
    expect(await queues.getTask({ id: over }, owner)).toMatchObject({ state: "completed", progress: 1 });
    expect(await queues.getTask({ id: dead }, owner)).toMatchObject({ state: "failed", error: "unrecoverable" });
    expect(await queues.getTask({ id: stopped }, owner)).toMatchObject({ state: "canceled", error: "canceled" });
    expect(await stateOf(waiting)).toBe("waiting");
  });
});

describe("what is told late", () => {
  const run = (id: string, attempt: number): RunningTask =>
    new RunningTask({ id, tenantId: owner.tenantId, job: telling.name, attempt, actor: "system" });

  test("never sets a task back: not behind a later attempt, and not behind its end", async () => {
    const id = newId();
    const [first, second] = [run(id, 1), run(id, 2)];
    await flushTasks();
    expect(await queues.getTask({ id }, owner)).toMatchObject({ state: "running", attempts: 2 });
    endTask(first, { state: "waiting", reason: "attempts_exhausted" });
    await flushTasks();
    expect(await queues.getTask({ id }, owner)).toMatchObject({ state: "running", attempts: 2 });
    endTask(second, { state: "completed", result: 1 });
    await flushTasks();
    const late = run(id, 2);
    await flushTasks();
    endTask(late, { state: "failed", reason: "attempts_exhausted" });
    await flushTasks();
    expect(await queues.getTask({ id }, owner)).toMatchObject({ state: "completed", attempts: 2, result: 1 });
  });

  test("is written once for a run that was over at once", async () => {
    const id = newId();
    endTask(run(id, 1), { state: "completed", result: { at: "once" } });
    await flushTasks();
    const [row] = await systemQuery<{ version: number }>("test", "select version from queues.task where id = $1", [id]);
    expect(row).toEqual({ version: 1 });
  });

  test("of what the database refuses holds up nobody else's", async () => {
    const [unfit, other] = [run(newId(), 1), run(newId(), 1)];
    endTask(unfit, { state: "no such state" as "failed", reason: "as when the database refuses" });
    endTask(other, { state: "completed", result: 3 });
    expect(await flushTasks()).toBe(true);
    expect(await queues.getTask({ id: other.facts.id }, owner)).toMatchObject({ state: "completed", result: 3 });
    expect(await reason(queues.getTask({ id: unfit.facts.id }, owner))).toBe("task_not_found");
  });

  test.each([
    ["small numbers, which take more as jsonb", Array(8_000).fill(1), Array(8_000).fill(1)],
    ["half a pair, in a name too", { "a\ud800": ["\udc00b", "😀"] }, { "a\ufffd": ["\ufffdb", "😀"] }],
    ["NUL, and the text of its escape", ["a\0b", "\\u0000", "\\\0", { "\0c": 1 }], ["ab", "\\u0000", "\\", { c: 1 }]],
    ["more than is kept", "x".repeat(17_000), undefined],
  ])("is kept as the database takes it: %s", async (_what, result, kept) => {
    const task = run(newId(), 1);
    task.addLine("half \ud83d\0");
    endTask(task, { state: "completed", result });
    await flushTasks();
    const row = await queues.getTask({ id: task.facts.id }, owner);
    expect(row).toMatchObject({ state: "completed", log: [{ text: "half \ufffd" }] });
    expect(row.result ?? undefined).toEqual(kept);
  });
});

test("enqueuing is one statement, the task's row included", async () => {
  await withTenant(owner, async (tx) => {
    const sent = [vi.spyOn(tx, "execute"), vi.spyOn(tx, "executeLater"), vi.spyOn(tx, "query")];
    const id = await enqueue(tx, telling, { n: 1 }, { delayMs: 600_000 });
    expect(sent.reduce((calls, spy) => calls + spy.mock.calls.length, 0)).toBe(1);
    expect(await tx.query("select state from queues.task where id = $1", [id])).toEqual([{ state: "waiting" }]);
  });
});
