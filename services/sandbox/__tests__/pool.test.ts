// Who runs when, and how many processes there are.
import { readFileSync } from "node:fs";
import { afterAll, expect, test, vi } from "vitest";
import { reasonOf } from "../../../security/errors";
import { Pool, type PoolOptions } from "../pool";
import { SandboxProcess, type Job } from "../sandbox-process";

const pools: Pool[] = [];
const poolOf = (options: PoolOptions = {}): Pool => {
  const made = new Pool(options);
  pools.push(made);
  return made;
};
afterAll(() => {
  for (const made of pools) made.close();
});
const job = (code: string, more: Partial<Job> = {}): Job => ({ code, timeoutMs: 5_000, memoryMb: 16, ...more });
const thrownBy = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test("no process runs before the first run; then they are kept, and end when nothing comes", async () => {
  const pids: (number | undefined)[] = [];
  const start = async (): Promise<SandboxProcess> => {
    const started = await SandboxProcess.start();
    pids.push(started.pid);
    return started;
  };
  const pool = poolOf({ idleMs: 300, start });
  expect(pool.running).toBe(0);
  await pool.run("a", job("return 1"));
  await pool.run("b", job("return 1"));
  expect([pids.length, pool.running]).toEqual([1, 1]);
  await vi.waitFor(() => expect(pool.running).toBe(0), { timeout: 10_000 });
  const isThere = (): string => readFileSync(`/proc/${pids[0]}/status`, "utf8");
  if (process.platform === "linux") await vi.waitFor(() => expect(isThere).toThrow("ENOENT"), { timeout: 10_000 });
  expect((await pool.run("a", job("return 2"))).output).toBe(2);
});

test(
  "of a thousand runs of twenty organisations nobody waits behind another's backlog",
  { timeout: 120_000 },
  async () => {
    // One process: of several, one that the system leaves aside ends late, which says nothing of turns.
    const pool = poolOf({ processes: 1, waitingMax: 1_000, ofTenantMax: 1_000, waitMaxMs: 120_000 });
    const order: string[] = [];
    const runs: Promise<unknown>[] = [];
    const send = (tenant: string, count: number): void => {
      for (let at = 0; at < count; at++)
        runs.push(pool.run(tenant, job("return 1")).then(({ output }) => order.push(output === 1 ? tenant : "failed")));
    };
    send("greedy", 430);
    const small = Array.from({ length: 19 }, (_, at) => `small ${at}`);
    for (const tenant of small) send(tenant, 30);
    await Promise.all(runs);
    expect(order).toHaveLength(1_000);
    // Twenty take turns: in any first n runs that end, each has had its share, give or take those under way.
    for (let ended = 20; ended <= 600; ended += 20) {
      const first = order.slice(0, ended);
      const counts = ["greedy", ...small].map((tenant) => first.filter((had) => had === tenant).length);
      for (const count of counts) expect(Math.abs(count - ended / 20)).toBeLessThanOrEqual(2);
    }
    expect(new Set(order.slice(605))).toEqual(new Set(["greedy"]));
  },
);

test("an organisation never has all processes", async () => {
  const pool = poolOf();
  const order: string[] = [];
  const run = async (tenant: string, more: Partial<Job> = {}): Promise<void> => {
    expect((await pool.run(tenant, job("return await host.answer()", more))).output).toBe(1);
    order.push(tenant);
  };
  const functions = { answer: async () => 1 };
  let letGo = (): void => undefined;
  const held = new Promise<number>((resolve) => (letGo = () => resolve(1)));
  const ofOne = [run("a", { functions: { answer: () => held }, timeoutMs: 60_000 }), run("a", { functions })];
  await Promise.all([run("b", { functions }), run("b", { functions })]);
  letGo();
  await Promise.all(ofOne);
  expect(order).toEqual(["b", "b", "a", "a"]);
});

test("refuses when too many wait, and says when to come again", async () => {
  const pool = poolOf({ processes: 1, waitingMax: 2, ofTenantMax: 1 });
  const runs = ["a", "a", "a", "b", "c"].map((tenant) => pool.run(tenant, job("return 1")));
  const told = await Promise.all(runs.map((run) => run.then(({ output }) => output, reasonOf)));
  // The first has its process already; of the others one of each organisation waits, and two in all.
  expect(told).toEqual([1, 1, "runs_waiting", 1, "runs_waiting"]);
});

test("nobody waits for longer than they may", async () => {
  const pool = poolOf({ processes: 1, waitMaxMs: 100 });
  const first = pool.run("a", job("for (;;);", { timeoutMs: 300 }));
  const error = await thrownBy(pool.run("b", job("return 1")));
  expect(reasonOf(error)).toBe("runs_waiting");
  expect(error).toMatchObject({ details: { retryAfterSeconds: 2 } });
  expect((await first).error?.reason).toBe("timeout");
  expect((await pool.run("b", job("return 1"))).output).toBe(1);
});

test("one that was stopped is replaced", async () => {
  const pool = poolOf({ processes: 1 });
  const [stopped, after] = [
    pool.run("a", job("new Array(1e9) + ''", { timeoutMs: 100 })),
    pool.run("b", job("return 1")),
  ];
  expect((await stopped).error?.reason).toBe("timeout");
  expect((await after).output).toBe(1);
  expect(pool.running).toBe(1);
});

test("one that got stuck while it was idle is replaced before it gets a run", { timeout: 20_000 }, async () => {
  const started: SandboxProcess[] = [];
  const start = async (): Promise<SandboxProcess> => {
    const process = await SandboxProcess.start();
    started.push(process);
    return process;
  };
  const pool = poolOf({ start });
  await pool.run("a", job("return 1"));
  process.kill(started[0]?.pid ?? 0, "SIGSTOP");
  expect((await pool.run("a", job("return 2"))).output).toBe(2);
  expect([started.length, started[0]?.isUsable, pool.running]).toEqual([2, false, 1]);
});

test("tells when no process starts, and tries anew with the next run", async () => {
  let isBroken = true;
  const start = (): Promise<SandboxProcess> => (isBroken ? Promise.reject(new Error("no")) : SandboxProcess.start());
  const pool = poolOf({ start });
  expect(reasonOf(await thrownBy(pool.run("a", job("return 1"))))).toBe("sandbox_unavailable");
  isBroken = false;
  expect((await pool.run("a", job("return 1"))).output).toBe(1);
});

test("when it is closed, what runs has crashed, who waits is turned away, and nothing starts any more", async () => {
  const pool = poolOf({ processes: 1 });
  await pool.run("a", job("return 1"));
  const runs = [pool.run("a", job("for (;;);")), pool.run("a", job("return 1"))] as const;
  await vi.waitFor(() => expect(pool.running).toBe(1));
  await new Promise((resolve) => setImmediate(resolve));
  pool.close();
  const [running, waiting] = await Promise.all([thrownBy(runs[0]), thrownBy(runs[1])]);
  expect([running === undefined ? (await runs[0]).error?.reason : "refused", reasonOf(waiting)]).toEqual([
    expect.stringMatching(/crashed|refused/),
    "runs_waiting",
  ]);
  expect(reasonOf(await thrownBy(pool.run("a", job("return 1"))))).toBe("runs_waiting");
  expect(pool.running).toBe(0);
});
