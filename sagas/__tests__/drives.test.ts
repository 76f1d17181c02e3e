// Who drives a saga on, and when: of the many jobs that may wait for one, one does, and each attempt waits its time.
import { expect, test } from "vitest";
import { z } from "zod";
import { sagas } from "~encore/clients";
import { systemQuery, withTenant } from "../../db/tenant";
import { createCaller } from "../../testing";
import { defineSaga, type Saga } from "../definition";
import { runSaga } from "../run-saga";
import { startSaga } from "../start-saga";
import { driveOverdue } from "../upkeep";

const owner = createCaller("owner");
const HOUR_MS = 3_600_000;
const input = z.object({ n: z.number() });
const head = (name: string) => defineSaga({ name, version: 1, input });
const idle = { run: () => Promise.resolve(), undo: "nothing" } as const;

const start = (saga: Saga<{ n: number }>): Promise<string> => withTenant(owner, (tx) => startSaga(tx, saga, { n: 1 }));
/** As one of its jobs does it. */
const drive = (saga: Saga, id: string): Promise<void> =>
  runSaga(saga, { tenantId: owner.tenantId, id }, new AbortController().signal);
const stateOf = async (id: string): Promise<string> => (await sagas.getSaga({ id }, owner)).state;
const change = (id: string, to: string): Promise<unknown> =>
  systemQuery("test", `update sagas.saga set ${to} where id = $1`, [id]);
const jobsOf = async (type: string): Promise<{ isLater: boolean }[]> =>
  systemQuery(
    "test",
    `select next_attempt_at > created_at + interval '1 second' as "isLater" from events.outbox
      where type = $1 and tenant_id = $2 order by position`,
    [type, owner.tenantId],
  );

test("an attempt waits its time, however many jobs drive its saga", async () => {
  let runs = 0;
  const retry = { attempts: 3, firstDelayMs: HOUR_MS, maxDelayMs: HOUR_MS, jitter: 0 };
  const patient = head("test:patient").step("first", {
    run: () => Promise.reject(new Error(`not yet ${++runs}`)),
    undo: "nothing",
    retry,
  });
  const id = await start(patient);
  for (let job = 0; job < 5; job++) await drive(patient, id);
  expect([runs, await stateOf(id)]).toEqual([1, "running"]);
  await change(id, "due_at = now()");
  for (let job = 0; job < 5; job++) await drive(patient, id);
  expect([runs, await stateOf(id)]).toEqual([2, "running"]);
});

test("one that is canceled while its attempt fails is undone at once: no attempt is waited for", async () => {
  const done: string[] = [];
  const retry = { attempts: 3, firstDelayMs: HOUR_MS, maxDelayMs: HOUR_MS, jitter: 0 };
  const late = head("test:late").call("first", {
    run: async ({ sagaId }) => {
      // As a cancellation of which the run has not heard yet.
      await change(sagaId, "cancel_at = now(), due_at = now()");
      throw new Error("failed all the same");
    },
    undo: () => Promise.resolve(void done.push("undone")),
    retry,
  });
  const id = await start(late);
  await drive(late, id);
  expect([done, await stateOf(id)]).toEqual([["undone"], "compensated"]);
});

test("one that nobody drives on gets a job now and then, the more seldom the longer it waits, and each may take it", async () => {
  const left = head("test:left").step("first", idle);
  const known = [{ name: left.name, version: 1 }];
  const leaseOf = async (id: string): Promise<unknown> =>
    (
      await systemQuery<{ ms: number }>(
        "test",
        `select (extract(epoch from leased_until - now()) * 1000)::float8 as ms from sagas.saga where id = $1 and run_id is null`,
        [id],
      )
    )[0]?.ms;
  const [young, old] = [await start(left), await start(left)];
  await change(young, "due_at = now() - interval '1 minute'");
  // As a process leaves it that died.
  await change(
    old,
    "due_at = now() - interval '8 hours', run_id = gen_random_uuid(), leased_until = now() - interval '7 hours'",
  );
  expect([await driveOverdue(known), await driveOverdue(known)]).toEqual([2, 0]);
  expect(await leaseOf(young)).toBeLessThanOrEqual(30_000);
  expect(await leaseOf(old)).toBeGreaterThan(0.9 * HOUR_MS);
  for (const id of [young, old]) await drive(left, id);
  expect([await stateOf(young), await stateOf(old)]).toEqual(["completed", "completed"]);
  expect(await driveOverdue(known)).toBe(0);
});

test("a run whose lease is over is given as much time again before its saga gets another job: it may live", async () => {
  const held = head("test:held").step("first", idle);
  const known = [{ name: held.name, version: 1 }];
  const id = await start(held);
  const lapsed = (seconds: number): Promise<unknown> =>
    change(
      id,
      `due_at = now() - interval '1 hour', run_id = gen_random_uuid(), leased_until = now() - interval '${seconds} seconds'`,
    );
  await lapsed(15);
  expect(await driveOverdue(known)).toBe(0);
  await lapsed(31);
  expect(await driveOverdue(known)).toBe(1);
});

test("a saga that is canceled again and again is driven once for it, and has one entry in the audit log", async () => {
  const twice = head("test:twice").step("first", idle);
  const id = await start(twice);
  for (let time = 0; time < 3; time++)
    expect(await sagas.cancel({ id }, owner)).toMatchObject({ state: "running", canceling: true });
  const entries = await systemQuery("test", "select action from audit.entry where tenant_id = $1 and target_id = $2", [
    owner.tenantId,
    id,
  ]);
  expect(entries).toEqual([{ action: "sagas.saga.canceled" }]);
  // That it was started with, and that of the first time.
  expect(await jobsOf("test:saga-twice-v1")).toHaveLength(2);
  await drive(twice, id);
  expect(await stateOf(id)).toBe("compensated");
});

test("an input whose JSON its own schema does not take is refused at once: no other version would take it either", async () => {
  const dated = defineSaga({ name: "test:dated", version: 1, input: z.object({ at: z.date() }) }).step("first", idle);
  const asked = withTenant(owner, (tx) => startSaga(tx, dated, { at: new Date(0) }));
  await expect(asked).rejects.toThrow("does not take the JSON");
  const read = z.object({ at: z.coerce.date() });
  const readable = defineSaga({ name: "test:readable", version: 1, input: read }).step("first", idle);
  const id = await withTenant(owner, (tx) => startSaga(tx, readable, { at: new Date(0) }));
  await drive(readable, id);
  expect(await stateOf(id)).toBe("completed");
});

test("one whose input this version does not take waits for one that does, and for a person after half a day", async () => {
  const newer = head("test:rolling").step("first", idle);
  const worded = z.object({ n: z.literal("one") });
  const older = defineSaga({ name: "test:rolling", version: 1, input: worded }).step("first", idle);
  const [taken, abandoned] = [await start(newer), await start(newer)];
  for (const id of [taken, abandoned]) await drive(older, id);
  expect(await jobsOf("test:saga-rolling-v1")).toEqual([false, false, true, true].map((isLater) => ({ isLater })));
  await change(taken, "due_at = now()");
  await drive(newer, taken);
  expect(await stateOf(taken)).toBe("completed");
  await change(abandoned, "due_at = now(), created_at = now() - interval '11 hours'");
  await drive(older, abandoned);
  expect(await stateOf(abandoned)).toBe("running");
  await change(abandoned, "due_at = now(), created_at = now() - interval '13 hours'");
  await drive(older, abandoned);
  expect(await sagas.getSaga({ id: abandoned }, owner)).toMatchObject({ state: "stuck", stuckReason: "input_invalid" });
});

test("a run of another definition, or of another version, leaves a saga to those of its own", async () => {
  const left = head("test:left").step("first", idle);
  const id = await start(left);
  for (const other of [head("test:other").step("first", idle), { ...left, version: 2 }]) await drive(other, id);
  expect(await stateOf(id)).toBe("running");
  await drive(left, id);
  expect(await stateOf(id)).toBe("completed");
});
