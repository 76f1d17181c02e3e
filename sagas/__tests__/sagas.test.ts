// What people see of sagas and may do to them, and how sagas behave when their steps do not.
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { sagas } from "~encore/clients";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { actorOf } from "../../security/principal";
import { currentProvenance, onBehalfOf } from "../../security/provenance";
import { createCaller, runRelayAndWorkers } from "../../testing";
import { listenForCancels } from "../cancel-notice";
import { defineSaga, UnrecoverableStepError, type Saga } from "../definition";
import { runSaga } from "../run-saga";
import { startSaga } from "../start-saga";
import { driveOverdue, purgeSagas } from "../upkeep";
import { knownSagas, registerSaga } from "../worker";

const owner = createCaller("owner");
const input = z.object({ n: z.number() });
const head = (name: string, version = 1) => defineSaga({ name, version, input });
const retry = { attempts: 2, firstDelayMs: 1, maxDelayMs: 5, jitter: 0 };
const nothing = () => Promise.resolve();
/** A step that does nothing, and leaves nothing. */
const idle = { run: nothing, undo: "nothing" } as const;
const done: string[] = [];
const actors: string[] = [];
let isUndoBroken = true;
const undone: string[] = [];

const plain = head("test:plain")
  .step("first", {
    run: (_tx, { sagaId }) => {
      actors.push(currentProvenance("none").actor);
      return Promise.resolve(void done.push(sagaId));
    },
    undo: "nothing",
  })
  .call("second", idle);
const broken = head("test:broken")
  .step("first", { run: nothing, undo: (_tx, { sagaId }) => Promise.resolve(undone.push(sagaId)) })
  .step("second", {
    run: nothing,
    undo: () => (isUndoBroken ? Promise.reject(new Error("not now")) : Promise.resolve()),
    undoRetry: retry,
  })
  .step("third", { run: () => Promise.reject(new UnrecoverableStepError("out_of_luck")), undo: "nothing" });
const aborted: unknown[] = [];
const endlessOf = (name: string) =>
  head(name)
    .step("first", { run: nothing, undo: (_tx, { sagaId }) => Promise.resolve(undone.push(sagaId)) })
    .call("second", {
      run: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            aborted.push(signal.reason);
            reject(signal.reason as Error);
          });
        }),
      undo: ({ stepKey, result }) => Promise.resolve(void undone.push(`${stepKey} ${String(result)}`)),
    });
const endless = endlessOf("test:endless");
const slow = head("test:slow").step("first", {
  run: async (tx) => {
    await tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, 'do:slow x', 1)", [
      tx.tenantId,
    ]);
    // Does not listen to its signal.
    await new Promise((resolve) => setTimeout(resolve, 400));
  },
  undo: "nothing",
  timeoutMs: 100,
  retry: { ...retry, attempts: 1 },
});
const first = head("test:versions").step("old-step", {
  run: (_tx, { sagaId }) => Promise.resolve(done.push(`1 ${sagaId}`)),
  undo: "nothing",
});
const second = head("test:versions", 2).step("new-step", {
  run: (_tx, { sagaId }) => Promise.resolve(done.push(`2 ${sagaId}`)),
  undo: "nothing",
});
for (const saga of [plain, broken, endless, slow, first, second]) registerSaga(saga);

runRelayAndWorkers();

const start = (saga: Saga<{ n: number }>, caller = owner, options = {}): Promise<string> =>
  withTenant(caller, (tx) => startSaga(tx, saga, { n: 1 }, options));
const stateOf = async (id: string, caller = owner): Promise<string> => (await sagas.getSaga({ id }, caller)).state;
const ended = (id: string, state: string): Promise<void> => expect.poll(() => stateOf(id)).toBe(state);
const reason = (work: Promise<unknown>): Promise<unknown> => work.then(() => "ok", reasonOf);
const eventsOf = (id: string): Promise<{ type: string; payload: unknown }[]> =>
  systemQuery("test", "select type, payload from events.outbox where aggregate_type = 'saga' and aggregate_id = $1", [
    id,
  ]);

describe("a saga", () => {
  test("begins with the transaction that starts it, and not without", async () => {
    const id = await start(plain);
    let lost = "";
    await withTenant(owner, async (tx) => {
      lost = await startSaga(tx, plain, { n: 1 });
      throw new Error("rolled back");
    }).catch(() => undefined);
    expect(await reason(sagas.getSaga({ id: lost }, owner))).toBe("saga_not_found");
    await ended(id, "completed");
    expect(await sagas.getSaga({ id }, owner)).toMatchObject({
      ...{ id, name: "test:plain", version: 1, state: "completed", canceling: false },
      steps: [
        { name: "first", state: "completed", attempts: 1 },
        { name: "second", state: "completed", attempts: 1 },
      ],
    });
    expect(await eventsOf(id)).toEqual([
      { type: "sagas.saga.completed", payload: { sagaId: id, name: "test:plain", sagaVersion: 1 } },
    ]);
    expect(done.filter((other) => other === id)).toHaveLength(1);
  });

  test("is one for a dedupe key, and takes only input that can be kept", async () => {
    const ids = [await start(plain, owner, { dedupeKey: "k" }), await start(plain, owner, { dedupeKey: "k" })];
    expect(ids[0]).toBe(ids[1]);
    const wordy = defineSaga({ name: "test:wordy", version: 1, input: z.string() }).step("first", idle);
    const startWith = (text: string) => reason(withTenant(owner, (tx) => startSaga(tx, wordy, text)));
    for (const text of ["\0", "half a pair \ud83d", "\\\0"]) expect(await startWith(text)).toBe("saga_input_unusable");
    for (const text of ["of \\u0000 and \\ud83d it may write", "\u{1f600}"]) expect(await startWith(text)).toBe("ok");
    expect(await startWith("x".repeat(70_000))).toBe("saga_input_unusable");
    await expect(withSystem("test", (tx) => startSaga(tx, plain, { n: 1 }))).rejects.toThrow("no tenant");
  });

  test("runs on behalf of who started it, and is for them and for who manages everybody's", async () => {
    const [member, colleague, stranger] = [
      createCaller("member", owner),
      createCaller("member", owner),
      createCaller("owner"),
    ];
    const id = await onBehalfOf(actorOf(member.principal), () => start(plain));
    await ended(id, "completed");
    expect(actors).toContain(actorOf(member.principal));
    expect((await sagas.listSagas({}, member)).sagas.map((saga) => saga.id)).toEqual([id]);
    expect((await sagas.listSagas({}, colleague)).sagas).toEqual([]);
    expect((await sagas.listSagas({}, stranger)).sagas).toEqual([]);
    expect(await reason(sagas.getSaga({ id }, colleague))).toBe("saga_not_found");
    expect(await reason(sagas.cancel({ id }, colleague))).toBe("saga_not_found");
    for (const act of [sagas.getSaga, sagas.cancel, sagas.retry, sagas.skip])
      expect(await reason(act({ id }, stranger))).toBe("saga_not_found");
    expect(await reason(sagas.retry({ id }, member))).toBe("permission_denied");
    expect(await reason(sagas.cancel({ id }, member))).toBe("saga_not_running");
    expect(await reason(sagas.getSaga({ id: "no uuid" }, owner))).toBe("saga_not_found");
  });

  test("is rolled back by its time, also when its step does not listen", async () => {
    const caller = createCaller("owner");
    const id = await start(slow, caller);
    await expect.poll(() => stateOf(id, caller)).toBe("compensated");
    expect(await sagas.getSaga({ id }, caller)).toMatchObject({ reason: "timed_out", steps: [{ state: "failed" }] });
    const rows = await systemQuery(
      "test",
      "select 1 from queues.tenant_turn where tenant_id = $1 and queue like 'do:slow%'",
      [caller.tenantId],
    );
    expect(rows).toEqual([]);
  });

  test("ends with the version that it began with, beside newer ones", async () => {
    const [old, young] = [await start(first), await start(second)];
    await ended(old, "completed");
    await ended(young, "completed");
    expect(done).toEqual(expect.arrayContaining([`1 ${old}`, `2 ${young}`]));
    expect(done).not.toContain(`2 ${old}`);
  });

  test("waits for a process that knows its version, and is stuck at a definition that changed under it", async () => {
    const unknown = head("test:versions", 3).step("first", idle);
    const id = await start(unknown);
    await driveOverdue(knownSagas(), 0);
    expect(await stateOf(id)).toBe("running");
    const changed = head("test:versions", 3).step("renamed", idle);
    await runSaga(changed, { tenantId: owner.tenantId, id }, new AbortController().signal);
    expect(await sagas.getSaga({ id }, owner)).toMatchObject({ state: "stuck", stuckReason: "definition_changed" });
    expect(await reason(sagas.skip({ id }, owner))).toBe("saga_step_not_skippable");
    await sagas.retry({ id }, owner);
    await runSaga(unknown, { tenantId: owner.tenantId, id }, new AbortController().signal);
    expect(await stateOf(id)).toBe("completed");
  });

  test("that nobody drives on is found by its record", async () => {
    const id = newId();
    await systemQuery(
      "test",
      `insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state, due_at)
       values ($1, $2, 'test:plain', 1, '{first,second}', '{"n":1}', 'user:x', 'c', 'running', now() - interval '1 hour')`,
      [id, owner.tenantId],
    );
    expect(await driveOverdue([{ name: "test:plain", version: 2 }])).toBe(0);
    expect(await driveOverdue(knownSagas())).toBeGreaterThan(0);
    await ended(id, "completed");
  });
});

describe("canceling", () => {
  test("aborts the call at hand and undoes what was done, and what nobody knows", async () => {
    const id = await start(endless);
    await expect.poll(async () => (await sagas.getSaga({ id }, owner)).steps[1]?.state).toBe("running");
    expect(await sagas.cancel({ id }, owner)).toMatchObject({ state: "running", canceling: true });
    await ended(id, "compensated");
    expect(aborted).toHaveLength(1);
    expect(undone.filter((what) => what.startsWith(id))).toEqual([`${id}:second undefined`, id]);
    expect(await sagas.getSaga({ id }, owner)).toMatchObject({ reason: "canceled", canceling: false });
    expect(await reason(sagas.cancel({ id }, owner))).toBe("saga_not_running");
    expect(await auditOf(id)).toEqual(["sagas.saga.canceled"]);
  });
});

const auditOf = async (id: string): Promise<string[]> =>
  (
    await systemQuery<{ action: string }>(
      "test",
      "select action from audit.entry where tenant_id = $1 and target_id = $2 order by seq",
      [owner.tenantId, id],
    )
  ).map(({ action }) => action);

test("a cancellation is told by the bus, before the row is looked at", async () => {
  await listenForCancels();
  // No worker drives it: this test does.
  const unheard = endlessOf("test:unheard");
  const id = await start(unheard);
  const before = aborted.length;
  const of = { tenantId: owner.tenantId, id };
  // A look at the row that would come too late for this test.
  const run = runSaga(unheard, of, new AbortController().signal, { holdMs: 3_600_000 });
  await expect.poll(async () => (await sagas.getSaga({ id }, owner)).steps[1]?.state).toBe("running");
  await sagas.cancel({ id }, owner);
  await run;
  expect(aborted).toHaveLength(before + 1);
  expect(await stateOf(id)).toBe("compensated");
});

describe("an undo that keeps failing", () => {
  let id = "";
  beforeAll(async () => {
    id = await start(broken);
  });

  test("leaves its saga stuck, for a person to see", async () => {
    await ended(id, "stuck");
    expect(await sagas.getSaga({ id }, owner)).toMatchObject({
      ...{ reason: "out_of_luck", stuckReason: "attempts_exhausted" },
      steps: [{ state: "completed" }, { state: "undoing", attempts: 2 }, { state: "failed" }],
    });
    expect(
      (await sagas.listSagas({ state: "stuck", name: "test:broken" }, owner)).sagas.map((saga) => saga.id),
    ).toEqual([id]);
    expect(await eventsOf(id)).toMatchObject([
      { type: "sagas.saga.stuck", payload: { step: "second", reason: "attempts_exhausted" } },
    ]);
    expect(undone).not.toContain(id);
    expect(await reason(sagas.cancel({ id }, owner))).toBe("saga_not_running");
  });

  test("is tried again with all its attempts, and left to a person who skips it", async () => {
    await sagas.retry({ id }, owner);
    await ended(id, "stuck");
    expect((await sagas.getSaga({ id }, owner)).steps[1]).toMatchObject({ state: "undoing", attempts: 2 });
    await sagas.skip({ id }, owner);
    await ended(id, "compensated");
    expect((await sagas.getSaga({ id }, owner)).steps.map(({ state }) => state)).toEqual([
      "undone",
      "skipped",
      "failed",
    ]);
    expect(undone.filter((what) => what === id)).toHaveLength(1);
    expect(await auditOf(id)).toEqual(["sagas.saga.retried", "sagas.saga.skipped"]);
    expect(await reason(sagas.skip({ id }, owner))).toBe("saga_not_stuck");
  });

  test("is over when it can be done after all", async () => {
    const other = await start(broken);
    await ended(other, "stuck");
    isUndoBroken = false;
    await sagas.retry({ id: other }, owner);
    await ended(other, "compensated");
    expect((await sagas.getSaga({ id: other }, owner)).steps.map(({ state }) => state)).toEqual([
      "undone",
      "undone",
      "failed",
    ]);
  });
});

test("a step that kills its process is given up after thirty deaths", async () => {
  const id = await withTenant(owner, (tx) => startSaga(tx, head("test:deadly").step("first", idle), { n: 1 }));
  await systemQuery(
    "test",
    "insert into sagas.step (tenant_id, saga_id, position, name, state, begun) values ($1, $2, 0, 'first', 'running', 30)",
    [owner.tenantId, id],
  );
  const deadly = head("test:deadly").step("first", {
    run: () => Promise.reject(new Error("was run")),
    undo: "nothing",
  });
  await runSaga(deadly, { tenantId: owner.tenantId, id }, new AbortController().signal);
  expect(await sagas.getSaga({ id }, owner)).toMatchObject({ state: "compensated", reason: "stalled_too_often" });
});

test("two runs of one saga do not work at once: the second leaves it to the first", async () => {
  let runs = 0;
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const shared = head("test:shared").call("first", {
    run: async () => {
      runs++;
      await held;
    },
    undo: "nothing",
  }) as unknown as Saga;
  const id = await start(shared as Saga<{ n: number }>);
  const of = { tenantId: owner.tenantId, id };
  const firstRun = runSaga(shared, of, new AbortController().signal);
  await expect.poll(() => runs).toBe(1);
  await runSaga(shared, of, new AbortController().signal);
  goOn();
  await firstRun;
  expect(runs).toBe(1);
  expect(await stateOf(id)).toBe("completed");
});

test("a run that has lost its turn commits nothing", async () => {
  const robbed = head("test:robbed").step("first", {
    run: async (tx, { sagaId }) => {
      await tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)", [
        tx.tenantId,
        `do:robbed ${newId()}`,
      ]);
      // As another run takes it, were this one's lease over.
      await tx.execute("update sagas.saga set run_id = gen_random_uuid(), leased_until = now() where id = $1", [
        sagaId,
      ]);
    },
    undo: "nothing",
  });
  const caller = createCaller("owner");
  const id = await start(robbed, caller);
  await runSaga(robbed, { tenantId: caller.tenantId, id }, new AbortController().signal);
  expect(await stateOf(id, caller)).toBe("running");
  expect(
    await systemQuery("test", "select 1 from queues.tenant_turn where tenant_id = $1 and queue like 'do:%'", [
      caller.tenantId,
    ]),
  ).toEqual([]);
});

test("a run that its process stops gives its turn back: whoever runs the job next goes on at once", async () => {
  const stop = new AbortController();
  const stopped = head("test:stopped").step("first", {
    run: async () => {
      stop.abort(new Error("the process stops"));
      await new Promise(() => undefined);
    },
    undo: "nothing",
  });
  const caller = createCaller("owner");
  const id = await start(stopped, caller);
  await expect(runSaga(stopped, { tenantId: caller.tenantId, id }, stop.signal)).rejects.toThrow("the process stops");
  expect(await systemQuery("test", "select run_id, leased_until from sagas.saga where id = $1", [id])).toEqual([
    { run_id: null, leased_until: null },
  ]);
});

test("ended sagas go after thirty days, and those that have not ended stay, but not for ever", async () => {
  const insert = async (state: string, ended: boolean): Promise<string> => {
    const id = newId();
    await systemQuery(
      "test",
      `insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state, stuck_reason, stuck_state, ended_at)
       values ($1, $2, 'test:old', 1, '{a}', '{}', 'user:x', 'c', $3, case when $4 then null else 'x' end,
               case when $4 then null else 'compensating' end, case when $4 then now() - interval '31 days' end)`,
      [id, owner.tenantId, state, ended],
    );
    return id;
  };
  const [old, stuck] = [await insert("completed", true), await insert("stuck", false)];
  const forgotten = await insert("stuck", false);
  await systemQuery(
    "test",
    "update sagas.saga set created_at = now() - interval '401 days', due_at = now() - interval '401 days' where id = $1",
    [forgotten],
  );
  await purgeSagas();
  expect(await reason(sagas.getSaga({ id: forgotten }, owner))).toBe("saga_not_found");
  expect(await reason(sagas.getSaga({ id: old }, owner))).toBe("saga_not_found");
  expect(await stateOf(stuck)).toBe("stuck");
});
