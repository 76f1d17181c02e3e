// What people do to sagas: cancel one that runs, and bring one that is stuck to its end.
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { withTenant, type Tx } from "../db/tenant";
import { enqueue } from "../queues/enqueue";
import type { Principal, TenantId } from "../security/principal";
import { tellCanceled } from "./cancel-notice";
import { errors } from "./errors";
import { jobOf } from "./job";
import * as store from "./store/saga";

const fields = { saga: "plain", version: "plain" } as const;
const canceled = defineAction("sagas.saga.canceled", fields);
const retried = defineAction("sagas.saga.retried", { ...fields, reason: "plain" });
const skipped = defineAction("sagas.saga.skipped", { ...fields, reason: "plain", step: "plain" });

/** Who asks again while it has not reached the saga yet changes nothing. @throws APIError saga_not_running */
export function cancelSaga(principal: Principal, id: string): Promise<store.SagaRow> {
  return withTenant(principal, async (tx) => {
    const row = await cancelWithin(tx, principal.tenantId, id);
    if (row === undefined) throw errors.saga_not_running();
    return row;
  });
}

/** The same in the caller's transaction, of what the saga belongs to. Undefined when it does not run. */
export async function cancelWithin(tx: Tx, tenantId: TenantId, id: string): Promise<store.SagaRow | undefined> {
  const row = await store.sagaCancel(tx, tenantId, id);
  if (row?.isFirst !== true) return row;
  await driveOn(tx, row);
  tellCanceled(tx, id);
  await record(tx, canceled, { target: target(id), fields: named(row) });
  return row;
}

/** What failed is tried again, with all its attempts. @throws APIError saga_not_stuck */
export function retrySaga(principal: Principal, id: string): Promise<store.SagaRow> {
  return unstick(principal, id, async (tx, row) => {
    await store.stepForgive(tx, { tenantId: principal.tenantId, id, position: row.position });
    return () => record(tx, retried, { target: target(id), fields: { ...named(row), reason: row.stuckReason } });
  });
}

/** The undo that failed is left to the person who says so. @throws APIError saga_not_stuck, saga_step_not_skippable */
export function skipUndo(principal: Principal, id: string): Promise<store.SagaRow> {
  return unstick(principal, id, async (tx, row) => {
    const at = { tenantId: principal.tenantId, id, position: row.position };
    const step = (await store.stepList(tx, at.tenantId, id)).find(({ position }) => position === row.position);
    if (row.stuckState !== "compensating" || step?.state !== "undoing") throw errors.saga_step_not_skippable();
    await store.stepEnd(tx, at, { state: "skipped" });
    const facts = { ...named(row), reason: row.stuckReason, step: step.name };
    return () => record(tx, skipped, { target: target(id), fields: facts });
  });
}

/** @param prepare what it answers is done last */
function unstick(
  principal: Principal,
  id: string,
  prepare: (tx: Tx, row: store.SagaRow) => Promise<() => Promise<void>>,
): Promise<store.SagaRow> {
  return withTenant(principal, async (tx) => {
    const stuck = await store.sagaFindStuck(tx, principal.tenantId, id);
    if (stuck === undefined) throw errors.saga_not_stuck();
    const noteIt = await prepare(tx, stuck);
    const going = await store.sagaUnstick(tx, principal.tenantId, id);
    if (going === undefined) throw errors.saga_not_stuck();
    await driveOn(tx, going);
    await noteIt();
    return going;
  });
}

const driveOn = (tx: Tx, row: store.SagaRow): Promise<string> => enqueue(tx, jobOf(row), { sagaId: row.id });
const target = (id: string) => ({ type: "saga", id });
const named = ({ name, version }: store.SagaRow) => ({ saga: name, version });
