// Taking the turn of a saga: one transaction that says what is next, and counts the attempt before it runs, so that a step
// that ends its process is counted too.
import { emit } from "../events/outbox";
import { sagaCompensated, sagaCompleted, sagaStuck } from "../events/catalog/sagas";
import { withTenant, type Tx } from "../db/tenant";
import { enqueue } from "../queues/enqueue";
import { FOREIGN_PAYLOAD_HOURS } from "../queues/give-back";
import { causedBy } from "../security/provenance";
import { logger } from "../telemetry/logger";
import { sagasTotal } from "../telemetry/metrics";
import type { Saga, Step } from "./definition";
import { jobOf } from "./job";
import { nextOf, type Next } from "./next";
import * as store from "./store/saga";

/** A run that is not heard of for so long has lost its turn. */
export const LEASE_MS = 10_000;
/** Attempts that may die with their process before it is taken that they are what kills it: as jobs have it. */
const DEATHS_MAX = 30;
/** For so long a saga whose input does not fit is taken to be another version's. */
const FOREIGN_INPUT_MS = FOREIGN_PAYLOAD_HOURS * 3_600_000;
/** Until it is looked at again. */
const LEFT_MS = { min: 2_000, max: 60_000, ageShare: 1 / 20 };

/** What the run that has the turn is to do. */
export interface Work {
  readonly row: store.SagaRow;
  readonly act: "run" | "undo";
  readonly step: Step;
  readonly position: number;
  readonly attempt: number;
  readonly input: unknown;
  /** Of the steps below `position`. */
  readonly results: Readonly<Record<string, unknown>>;
  readonly result: unknown;
}

/** What its steps write is written on behalf of who began it, whoever drives it on. */
export const onBehalfOfStarter = <T>(
  row: Pick<store.SagaRow, "id" | "actor" | "correlationId">,
  fn: () => Promise<T>,
): Promise<T> => causedBy({ id: row.id, headers: { actor: row.actor, "correlation-id": row.correlationId } }, fn);

/** Undefined when there is nothing to do for this run: another has the turn, a person has, or it has ended. */
export function takeTurn(saga: Saga, turn: store.Turn): Promise<Work | undefined> {
  return withTenant(turn, async (tx) => {
    const row = await store.sagaTake(tx, turn, saga, LEASE_MS);
    return row && onBehalfOfStarter(row, () => settleNext(tx, saga, turn, row));
  });
}

async function settleNext(tx: Tx, saga: Saga, turn: store.Turn, row: store.SagaRow): Promise<Work | undefined> {
  const steps = await store.stepList(tx, turn.tenantId, turn.id);
  const input = saga.input.safeParse(row.input);
  if (!input.success && quietMs(row, steps) < FOREIGN_INPUT_MS) return void (await leaveToOthers(tx, saga, row, steps));
  const next: Next = input.success ? nextOf(saga, row, steps) : { act: "stick", reason: "input_invalid" };
  switch (next.act) {
    case "end":
      return void (await end(tx, row, next.state));
    case "stick":
      return void (await stick(tx, row, null, next.reason));
    case "turn-back":
      return settleNext(tx, saga, turn, await turnBack(tx, turn, row, next));
    case "run":
    case "undo":
      return begin(tx, saga, turn, { row, steps, input: input.data, ...next });
  }
}

/** Since it last came on: a saga that waits for days between its steps meets another version as a young one does. */
function quietMs({ ageMs, createdAt }: store.SagaRow, steps: readonly store.StepRow[]): number {
  const moved = steps.map(({ startedAt, endedAt }) => (endedAt ?? startedAt).getTime() - createdAt.getTime());
  return ageMs - Math.max(0, ...moved);
}

/**
 * During a deployment the next version may begin sagas whose input this one does not take. As jobs do, they wait for a process that
 * takes it, and come again the more seldom the older they are.
 */
async function leaveToOthers(tx: Tx, saga: Saga, row: store.SagaRow, steps: readonly store.StepRow[]): Promise<void> {
  const { tenantId, id } = row;
  const delayMs = Math.round(Math.max(LEFT_MS.min, Math.min(LEFT_MS.max, quietMs(row, steps) * LEFT_MS.ageShare)));
  await store.sagaRelease(tx, tenantId, id, delayMs);
  await enqueue(tx, jobOf(saga), { sagaId: id }, { delayMs });
  const facts = { sagaId: id, saga: saga.name, version: saga.version };
  tx.afterCommit(() => logger("sagas").warn(facts, "a saga is left to a version of the app that takes its input"));
}

async function turnBack(
  tx: Tx,
  turn: store.Turn,
  row: store.SagaRow,
  { position, reason }: { position: number; reason: string },
): Promise<store.SagaRow> {
  await store.sagaMove(tx, turn, { state: "compensating", from: row.position, position, reason });
  return { ...row, state: "compensating", position, reason };
}

interface Beginning extends Pick<Work, "row" | "act" | "step" | "position" | "input"> {
  steps: store.StepRow[];
}

async function begin(
  tx: Tx,
  saga: Saga,
  turn: store.Turn,
  { row, steps, act, step, position, input }: Beginning,
): Promise<Work | undefined> {
  // Steps that have nothing to undo are passed over.
  if (row.position !== position)
    await store.sagaMove(tx, turn, { state: "compensating", from: row.position, position });
  const at = { ...turn, position };
  const begun = await store.stepBegin(tx, { ...at, name: step.name, state: act === "run" ? "running" : "undoing" });
  if (begun === undefined) throw new Error(`step ${step.name} of saga ${row.id} could not be begun`);
  if (begun.begun - 1 - begun.failed < DEATHS_MAX)
    return {
      ...{ row: { ...row, position }, act, step, position, input },
      attempt: begun.begun,
      result: begun.result ?? undefined,
      results: Object.fromEntries(
        steps.filter((done) => done.position < position).map(({ name, result }) => [name, result ?? undefined]),
      ),
    };
  const goesOn = await giveUp(tx, turn, { row: { ...row, position }, act, step, position }, "stalled_too_often");
  return goesOn && settleNext(tx, saga, turn, goesOn);
}

/** No further attempt: what was done is undone, and an undo waits for a person. Answers the row when it goes on. */
export async function giveUp(
  tx: Tx,
  turn: store.Turn,
  { row, act, step, position }: Pick<Work, "row" | "act" | "step" | "position">,
  reason: string,
): Promise<store.SagaRow | undefined> {
  if (act === "undo") return void (await stick(tx, row, step.name, reason));
  await store.stepEnd(tx, { ...turn, position }, { state: "failed" });
  return turnBack(tx, turn, row, { position, reason });
}

const factsOf = ({ id, name, version }: store.SagaRow) => ({ sagaId: id, name, sagaVersion: version });
const aggregateOf = ({ id }: store.SagaRow) => ({ aggregateType: "saga", aggregateId: id });
const countAfterCommit = (tx: Tx, { name }: store.SagaRow, outcome: string): void =>
  tx.afterCommit(() => sagasTotal.add(1, { saga: name, outcome }));

async function end(tx: Tx, row: store.SagaRow, state: "completed" | "compensated"): Promise<void> {
  await store.sagaEnd(tx, row.tenantId, row.id, state);
  if (state === "completed") await emit(tx, sagaCompleted, factsOf(row), aggregateOf(row));
  else await emit(tx, sagaCompensated, { ...factsOf(row), reason: row.reason ?? "unknown" }, aggregateOf(row));
  countAfterCommit(tx, row, state);
}

async function stick(tx: Tx, row: store.SagaRow, step: string | null, reason: string): Promise<void> {
  await store.sagaStick(tx, row.tenantId, row.id, reason);
  await emit(tx, sagaStuck, { ...factsOf(row), step, reason }, aggregateOf(row));
  countAfterCommit(tx, row, "stuck");
  const facts = { sagaId: row.id, saga: row.name, version: row.version, step, reason };
  tx.afterCommit(() =>
    logger("sagas").error(facts, "a saga is stuck and needs a person: POST /sagas/:id/retry or /skip"),
  );
}
