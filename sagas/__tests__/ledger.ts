// Sagas whose effects can be counted, and what must be true of them at the end. The ledger does not believe the saga: each
// effect of a transaction is a row that nothing removes, each effect of a call is kept by another system.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { systemQuery, withTenant, type Tx } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { defineSaga, UnrecoverableStepError, type Saga, type StepContext, type UndoContext } from "../definition";
import { runSaga } from "../run-saga";
import { startSaga } from "../start-saga";

/** What dying-process.ts hears of: the places where it may end, and what other systems were asked for. */
export const hooks = {
  place: (_name: string): void => undefined,
  asked: (_what: "charge" | "refund", _key: string): void => undefined,
};

/** Between the two places lies the effect. */
async function between<T>(what: string, effect: () => Promise<T>): Promise<T> {
  hooks.place(`before ${what}`);
  const result = await effect();
  hooks.place(`behind ${what}`);
  return result;
}

/** An effect, in whichever transaction: a second one is a second row. */
const note = (tx: Tx, what: string): Promise<number> =>
  between(what, () =>
    tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)", [
      tx.tenantId,
      `${what} ${randomUUID()}`,
    ]),
  );

/** Another system, which acts once for a key, as payment providers do. */
export class Payments {
  private readonly charges = new Map<string, "charged" | "refunded">();
  charge(key: string): void {
    hooks.asked("charge", key);
    if (!this.charges.has(key)) this.charges.set(key, "charged");
  }

  /** By the key of the charge, which may never have arrived, and then never will count. */
  refund(key: string): void {
    hooks.asked("refund", key);
    this.charges.set(key, "refunded");
  }

  charged(sagaId: string): number {
    return [...this.charges].filter(([key, state]) => key.startsWith(sagaId) && state === "charged").length;
  }
}

export const payments = new Payments();
const retry = { attempts: 3, firstDelayMs: 0, maxDelayMs: 0, jitter: 0 };
const input = z.object({ order: z.string() });

/** Fails its first attempt, so that its failure, too, is a place to die at. */
const failOnce = new Set<string>();
function failFirst(what: string): void {
  if (failOnce.has(what)) return;
  failOnce.add(what);
  throw new Error("not the first time");
}

const start = defineSaga({ name: "test:order", version: 1, input })
  .step("reserve", {
    run: async (tx) => {
      await note(tx, "do:reserve");
      return { place: 7 };
    },
    undo: async (tx, { sagaId, result }) => {
      if (result.place !== 7) throw new Error("the result of the step is another one");
      await note(tx, "undo:reserve");
      failFirst(`undo ${sagaId}`);
    },
    undoRetry: retry,
  })
  .call("charge", {
    run: ({ key }) => between("do:charge", async () => payments.charge(key)),
    undo: ({ stepKey }) => between("undo:charge", async () => payments.refund(stepKey)),
    undoRetry: retry,
  });

/** All of it can be done, though not at the first attempt. */
export const order = start.step("ship", {
  run: async (tx, { sagaId, results, input }) => {
    if (results.reserve.place !== 7 || input.order !== "one") throw new Error("what came before is lost");
    await note(tx, "do:ship");
    failFirst(sagaId);
  },
  undo: "nothing",
  retry,
});

/** Its last step cannot be done. */
export const doomed = start.step("ship", {
  run: async (tx) => {
    await note(tx, "do:ship");
    throw new UnrecoverableStepError("nothing_in_stock");
  },
  undo: (tx) => note(tx, "undo:ship"),
});

const reserving = defineSaga({ name: "test:order", version: 1, input }).step("reserve", {
  run: (tx) => note(tx, "do:reserve"),
  undo: (tx) => note(tx, "undo:reserve"),
});

/** For a planted bug: a step whose effect is in a transaction apart. */
export const withStep = (act: (tenantId: TenantId) => Promise<void>): Saga<{ order: string }> =>
  defineSaga({ name: "test:order", version: 1, input }).call("ship", {
    run: ({ tenantId }) => act(tenantId),
    undo: "nothing",
  });

export const withCall = (
  run: (ctx: StepContext) => void,
  undo: (ctx: UndoContext<unknown, unknown, unknown>) => void,
): Saga<{ order: string }> =>
  reserving.call("charge", {
    run: async (ctx) => run(ctx),
    undo: async (ctx) => undo(ctx),
  });

/** Its last step is a call of which nobody knows whether it had an effect. */
export const unclear = withCall(
  ({ key }) => {
    payments.charge(key);
    throw new UnrecoverableStepError("no_answer");
  },
  ({ stepKey }) => payments.refund(stepKey),
);

export const newTenant = (): TenantId => tenantIdFrom(randomUUID());

export const begin = (tenantId: TenantId, saga: Saga<{ order: string }>): Promise<string> =>
  withTenant({ tenantId }, (tx) => startSaga(tx, saga, { order: "one" }));

export async function stateOf(id: string): Promise<string | undefined> {
  const [row] = await systemQuery<{ state: string }>("test", "select state from sagas.saga where id = $1", [id]);
  return row?.state;
}

const isOpen = (state: string | undefined): boolean => state === "running" || state === "compensating";

/** Drives it to its end, as its jobs do one after the other. */
export async function drive(saga: Saga<{ order: string }>, tenantId: TenantId, id: string): Promise<void> {
  for (let run = 0; run < 20 && isOpen(await stateOf(id)); run++)
    await runSaga(saga, { tenantId, id }, new AbortController().signal);
}

/** As if the process that had the turn had died a lease ago. */
export const endLeases = (tenantId: TenantId): Promise<unknown> =>
  systemQuery("test", "update sagas.saga set leased_until = now() where tenant_id = $1", [tenantId]);

/** How often each effect is there, by its name. */
async function effects(tenantId: TenantId): Promise<Record<string, number>> {
  const rows = await systemQuery<{ what: string; count: number }>(
    "test",
    "select split_part(queue, ' ', 1) as what, count(*)::int as count from queues.tenant_turn where tenant_id = $1 and queue like '%:% %' group by 1",
    [tenantId],
  );
  return Object.fromEntries(rows.map(({ what, count }) => [what, count]));
}

/** What is wrong with a saga that has ended, by its effects alone; empty when it is all done or all undone. */
export async function faultsOf(tenantId: TenantId, id: string, steps: readonly string[]): Promise<string[]> {
  const state = await stateOf(id);
  const found = await effects(tenantId);
  const faults = Object.entries(found)
    .filter(([, count]) => count > 1)
    .map(([what]) => `${what} twice`);
  const done = (step: string): number => (found[`do:${step}`] ?? 0) - (found[`undo:${step}`] ?? 0);
  const wanted = state === "completed" ? 1 : 0;
  if (state !== "completed" && state !== "compensated") faults.push(`ended as ${state}`);
  for (const step of steps) if (done(step) !== wanted) faults.push(`${step} is ${done(step)}, though ${state}`);
  if (payments.charged(id) !== wanted) faults.push(`charged ${payments.charged(id)} times, though ${state}`);
  return faults;
}
