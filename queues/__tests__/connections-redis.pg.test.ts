import { afterAll, expect, test, vi } from "vitest";
import { Redis } from "ioredis";
import { newId } from "../../db/ids";
import { openQueue, openWorker } from "../bull";
import { jobOptions } from "../factory";
import { signalWork } from "../work-signals";
import { runJobTypes } from "./connections-contract";

await vi.hoisted(async () => {
  const { Redis: Client } = await import("ioredis");
  const url = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
  url.pathname = "/10";
  process.env.REDIS_URL = url.href;
  const redis = new Client(url.href);
  await redis.flushdb();
  await redis.quit();
});

const looking = new Redis(process.env.REDIS_URL ?? "", { connectionName: "looking" });
afterAll(() => looking.quit());

/** Of this suite's database, without the one that looks, and those of other rooms, which are there from the start. */
const connections = async (): Promise<number> =>
  String(await looking.call("CLIENT", "LIST"))
    .split("\n")
    .filter((line) => / db=10 /.test(line) && !line.includes("name=looking")).length;

test("a process with sixty job types holds the same three connections to Redis as one with three", async () => {
  const before = await connections();
  await runJobTypes(3);
  expect((await connections()) - before).toBe(3);
  await runJobTypes(57);
  expect((await connections()) - before).toBe(3);
});

// BullMQ's marker wakes one worker, which puts it back when it has taken a job: nobody would tell the others of that.
test("a burst of jobs reaches every worker that is idle, not only the first that hears of it", async () => {
  const name = `test.burst-${newId()}`;
  const queue = await openQueue(name);
  let taken = 0;
  let letGo = (): void => undefined;
  const gone = new Promise<void>((resolve) => (letGo = resolve));
  // Each has one slot, and looks by itself only after ten minutes.
  const open = (): ReturnType<typeof openWorker> =>
    openWorker(name, () => (taken++, gone), { concurrency: 1, drainDelay: 600 }, { failed: () => undefined });
  const workers = await Promise.all([open(), open(), open(), open()]);
  for (const worker of workers) void worker.run();
  const isIdle = (worker: object): boolean =>
    (worker as { waiting?: Promise<number> | null }).waiting instanceof Promise;
  await expect.poll(() => workers.every(isIdle)).toBe(true);
  const data = { payload: {}, tenantId: null, headers: {} };
  await queue.addBulk(workers.map(() => ({ name, data, opts: { ...jobOptions(), jobId: newId() } })));
  signalWork(name); // as each process hears it from another: once
  await expect.poll(() => taken).toBe(workers.length);
  letGo();
  await Promise.all(workers.map((worker) => worker.close(false)));
  await queue.close();
});
