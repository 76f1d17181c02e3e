// Driving one saga on: turn by turn until it has ended, waits for its next attempt or for a person. A process may be killed
// at any message: the turn's lease ends, and who takes it up finds what has committed. A step's effect commits with the note
// that it is done, which is refused when the turn is another's: so no effect is there twice.
import { cfg } from "../config";
import { newId } from "../db/ids";
import { tenantQuery, withTenant, type Tx } from "../db/tenant";
import { retryDelayMs } from "../queues/conventions";
import { enqueue } from "../queues/enqueue";
import type { TenantId } from "../security/principal";
import { errorText } from "../telemetry/error-text";
import { logger } from "../telemetry/logger";
import { sagaStepsTotal } from "../telemetry/metrics";
import { untilAborted } from "../telemetry/time-limit";
import { withSpan } from "../telemetry/tracing";
import { onCancelNotice } from "./cancel-notice";
import { UnrecoverableStepError, type Saga } from "./definition";
import { jobOf } from "./job";
import { isStorable } from "./storable";
import * as store from "./store/saga";
import { giveUp, LEASE_MS, onBehalfOfStarter, takeTurn, type Work } from "./turn";

const HOLD_MS = 2_000;

/** Why an attempt was aborted. */
class StepTimeoutError extends Error {
  override readonly name = "StepTimeoutError";
}
class SagaCanceledError extends Error {
  override readonly name = "SagaCanceledError";
}
class TurnLostError extends Error {
  override readonly name = "TurnLostError";
}

/** A turn, and how often its row is looked at while an attempt runs. */
interface Driver extends store.Turn {
  holdMs: number;
}

/** Rejects when the process stops, or the database is away: the job is then run again. */
export async function runSaga(
  saga: Saga,
  of: { tenantId: TenantId; id: string },
  stop: AbortSignal,
  { holdMs = HOLD_MS }: { holdMs?: number } = {},
): Promise<void> {
  const turn: Driver = { ...of, runId: newId(), holdMs };
  try {
    for (;;) {
      stop.throwIfAborted();
      const work = await takeTurn(saga, turn);
      if (work === undefined) return;
      if (!(await onBehalfOfStarter(work.row, () => tracedAttempt(saga, turn, work, stop)))) return;
    }
  } catch (error) {
    // Or whoever runs the job next would find the turn taken until its lease ends, and leave it.
    await withTenant(turn, (tx) => store.sagaLetGo(tx, turn)).catch(() => undefined);
    throw error;
  }
}

function tracedAttempt(saga: Saga, turn: Driver, work: Work, stop: AbortSignal): Promise<boolean> {
  const attributes = { "saga.id": turn.id, "saga.step": work.step.name, "saga.attempt": work.attempt };
  const name = `saga ${saga.name} ${work.act} ${work.step.name}`;
  return withSpan(name, { kind: "internal", attributes }, () => attempt(saga, turn, work, stop));
}

/** True when this run may go on at once. */
async function attempt(saga: Saga, turn: Driver, work: Work, stop: AbortSignal): Promise<boolean> {
  const { step, act } = work;
  const run = new AbortController();
  const onStop = (): void => run.abort(stop.reason);
  const late = (): void => run.abort(new StepTimeoutError(`${step.name} took longer than ${step.timeoutMs} ms`));
  const letGo = holdTurn(turn, work, run);
  const timer = setTimeout(late, step.timeoutMs);
  stop.addEventListener("abort", onStop, { once: true });
  let outcome = "done";
  try {
    await (step.kind === "transaction" ? inTransaction(turn, work, run.signal) : byCall(turn, work, run.signal));
    return true;
  } catch (error) {
    outcome = "failed";
    if (stop.aborted) throw error;
    if (error instanceof TurnLostError) return false;
    // The next turn sees that it is canceled.
    if (run.signal.reason instanceof SagaCanceledError) return true;
    return await settleFailure(saga, turn, work, error);
  } finally {
    clearTimeout(timer);
    letGo();
    stop.removeEventListener("abort", onStop);
    sagaStepsTotal.add(1, { saga: saga.name, step: step.name, act, outcome });
  }
}

/** Keeps the turn while an attempt runs, and hears of its cancellation. Returns the end of it. */
function holdTurn(turn: Driver, { act }: Work, run: AbortController): () => void {
  const { holdMs } = turn;
  let isAsking = false;
  const hold = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      const params = [turn.tenantId, turn.id, turn.runId, LEASE_MS];
      const [row] = await tenantQuery<{ isCanceling: boolean }>(turn, store.SAGA_HOLD, params);
      if (row === undefined) run.abort(new TurnLostError("another run has the turn"));
      else if (row.isCanceling && act === "run") run.abort(new SagaCanceledError("the saga was canceled"));
    } catch (error) {
      // Whoever takes the turn meanwhile finds out by what has committed; this run commits nothing then.
      logger("sagas").warn({ err: error, sagaId: turn.id }, "the turn of a saga could not be held on to");
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void hold(), holdMs).unref();
  const deafen = onCancelNotice(turn.id, () => void hold());
  return () => {
    clearInterval(timer);
    deafen();
  };
}

function contextOf(
  turn: store.Turn,
  { step, act, attempt: number, input, results, result }: Work,
  signal: AbortSignal,
) {
  const stepKey = `${turn.id}:${step.name}`;
  const key = act === "run" ? stepKey : `${stepKey}:undo`;
  return { sagaId: turn.id, tenantId: turn.tenantId, input, results, key, attempt: number, signal, result, stepKey };
}

/** The effect and the note that it is there are one commit; an abort rolls both back. */
async function inTransaction(turn: store.Turn, work: Work, signal: AbortSignal): Promise<void> {
  const { step, act } = work;
  if (step.kind !== "transaction") return;
  const body = act === "run" || step.undo === "nothing" ? step.run : step.undo;
  const context = contextOf(turn, work, signal);
  const statementTimeoutMs = Math.min(step.timeoutMs, cfg.db.statementTimeoutMs);
  await withTenant(
    turn,
    async (tx) => finish(tx, turn, work, await untilAborted(async () => body(tx, context), signal)),
    { statementTimeoutMs },
  );
}

async function byCall(turn: store.Turn, work: Work, signal: AbortSignal): Promise<void> {
  const { step, act } = work;
  if (step.kind !== "call") return;
  const body = act === "run" || step.undo === "nothing" ? step.run : step.undo;
  const result = await untilAborted(async () => body(contextOf(turn, work, signal)), signal);
  await withTenant(turn, (tx) => finish(tx, turn, work, result));
}

async function finish(tx: Tx, turn: store.Turn, { act, position }: Work, result: unknown): Promise<void> {
  const to =
    act === "run"
      ? { state: "running" as const, from: position, position: position + 1 }
      : { state: "compensating" as const, from: position, position: position - 1 };
  const text = act === "run" ? textOf(result) : undefined;
  if (!(await store.sagaMove(tx, turn, to))) throw new TurnLostError("another run has the turn");
  await store.stepEnd(tx, { ...turn, position }, { state: act === "run" ? "completed" : "undone", resultText: text });
}

function textOf(result: unknown): string | undefined {
  const text = JSON.stringify(result) as string | undefined;
  if (text !== undefined && !isStorable(text)) throw new UnrecoverableStepError("result_not_storable");
  return text;
}

/** True when this run goes on at once: with undoing, or because the attempt has committed after all. */
async function settleFailure(saga: Saga, turn: Driver, work: Work, error: unknown): Promise<boolean> {
  const { act, step, position, row } = work;
  const facts = { err: error, sagaId: turn.id, saga: saga.name, step: step.name, act, attempt: work.attempt };
  logger("sagas").warn(facts, "an attempt of a saga's step failed");
  const policy = act === "run" ? step.retry : step.undoRetry;
  const state = act === "run" ? "running" : "compensating";
  return withTenant(turn, async (tx) => {
    const locked = await store.sagaLock(tx, turn, { state, position });
    if (locked === undefined) return true;
    const failed = await store.stepFail(tx, { ...turn, position }, errorText(error));
    if (error instanceof UnrecoverableStepError || failed >= policy.attempts)
      return (await giveUp(tx, turn, { row, act, step, position }, reasonOf(error))) !== undefined;
    // Canceled meanwhile: there is no further attempt to wait for, and whoever is to undo it may have come already.
    if (locked.isCanceling && act === "run") return true;
    const delayMs = retryDelayMs(policy, failed, Math.random);
    await store.sagaRelease(tx, turn.tenantId, turn.id, delayMs);
    await enqueue(tx, jobOf(saga), { sagaId: turn.id }, { delayMs });
    return false;
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof UnrecoverableStepError) return error.reason;
  return error instanceof StepTimeoutError ? "timed_out" : "attempts_exhausted";
}
