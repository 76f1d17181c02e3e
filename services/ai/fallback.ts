// Who is asked, one after the other, until one answers (the figure stands in gateway.ts): whatever is asked for, the rules of
// turns, breakers, reservations and of what is told at the end are the same.
import { cfg } from "../../config";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { aiErrorsOccurred } from "../../events/catalog/ai";
import { emit } from "../../events/outbox";
import type { Principal } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { errorsTotal } from "../../telemetry/metrics";
import type { Deadline } from "./deadline";
import { errors } from "./errors";
import { isInstallationLimit, release, reserve, settle, type CallKind, type Reservation, type Tokens } from "./ledger";
import { isResting, resting, throughBreaker, type Line } from "./providers/breakers";
import { failureBeforeLeaving, failureOf, ProviderFailure } from "./providers/failure";
import { keyFor, lineOf, type OfferedModel, type ReadyProvider } from "./providers/registry";
import type { Opening } from "./providers/sdk-settings";
import { enterProvider } from "./turns";

const RETRY_MS = 200;

export interface Candidate {
  ready: ReadyProvider;
  offered: OfferedModel;
}

/** What is asked for, whoever is asked. */
export interface Call {
  principal: Principal;
  kind: CallKind;
  deadline: Deadline;
  /** More than it can use. */
  worst: Tokens;
  /** Longest wait that a provider's retry-after is obeyed for. */
  retryMaxMs: number;
}

/** How one provider is asked. */
export interface Asking<M, T> {
  /** Before anything is reserved. */
  open: (opening: Opening) => Promise<M>;
  /** @throws ProviderFailure, and nothing is reserved any more */
  ask: (model: M, reserved: Reserved) => Promise<T>;
}

/** A provider's turn, with what the call may cost reserved. */
export interface Reserved {
  candidate: Candidate;
  reservation: Reservation;
  /** Ends the turn; it ends by itself where nobody answered. */
  leave: () => void;
}

interface Failed {
  provider: string;
  model: string;
  failure: ProviderFailure;
}

/** One that wants to be left alone until then, by performance.now(). */
interface Later {
  candidate: Candidate;
  atMs: number;
}

interface Tried {
  failed: Failed[];
  later: Later[];
  /** The installation's limit, where it refused. */
  limit: unknown;
}

/**
 * What the first provider that answers does.
 * @throws APIError budget_exhausted, providers_unavailable, request_refused, provider_key_refused, call_given_up
 */
export async function firstToAnswer<M, T>(
  call: Call,
  candidates: readonly Candidate[],
  asking: Asking<M, T>,
): Promise<T> {
  const tried: Tried = { failed: [], later: [], limit: undefined };
  for (const candidate of candidates) {
    const outcome = await tryOne(call, candidate, tried, asking);
    if (outcome !== undefined) return outcome.answer;
  }
  for (const { candidate, atMs } of tried.later.sort((a, b) => a.atMs - b.atMs)) {
    await call.deadline.pause(Math.max(0, atMs - performance.now()));
    const outcome = await tryOne(call, candidate, { ...tried, later: [] }, asking);
    if (outcome !== undefined) return outcome.answer;
  }
  if (tried.failed.length === 0 && tried.limit !== undefined) throw tried.limit as Error;
  throw await refusalOf(call, tried.failed);
}

/** Undefined where another may be asked; why is added to what was tried. @throws APIError where nobody else may */
async function tryOne<M, T>(
  call: Call,
  candidate: Candidate,
  tried: Tried,
  asking: Asking<M, T>,
): Promise<{ answer: T } | undefined> {
  try {
    return { answer: await inTurn(call, candidate, asking) };
  } catch (error) {
    if (error instanceof ProviderFailure) {
      await noteFailed(call, candidate, error, tried);
      return undefined;
    }
    if (!isInstallationLimit(error)) throw error;
    tried.limit = error;
    return undefined;
  }
}

/** @throws APIError where nobody else may be asked */
async function noteFailed(call: Call, candidate: Candidate, failure: ProviderFailure, tried: Tried): Promise<void> {
  tried.failed.push({ provider: candidate.ready.provider.id, model: candidate.offered.name, failure });
  logFailure(candidate, failure);
  if (!failure.mayAskOthers) throw await refusalOf(call, tried.failed);
  const waitMs = failure.retryAfterMs ?? RETRY_MS;
  if (failure.isRetryable && waitMs <= call.retryMaxMs)
    tried.later.push({ candidate, atMs: performance.now() + waitMs });
}

/** @throws ProviderFailure, and nothing is reserved any more */
async function inTurn<M, T>(call: Call, candidate: Candidate, { open, ask }: Asking<M, T>): Promise<T> {
  const { principal, kind, deadline, worst } = call;
  const { ready, offered } = candidate;
  const { provider, keyOf } = ready;
  const { name: model, price } = offered;
  if (deadline.isOver) throw new ProviderFailure("given_up", { paid: "nothing" });
  const line = lineOf(principal, ready);
  if (isResting(line)) throw resting();
  const leave = enterProvider(provider.id, principal.tenantId);
  if (leave === undefined) throw resting();
  try {
    const opened = await open({ provider, model, key: await keyFor(principal, ready) });
    const planned = { kind, provider: provider.id, model, price, keyOf, worst };
    const reservation = await reserve(principal, planned, new Date(), cfg.ai.dayMicroUsd);
    return await unlessResting(line, principal, reservation, () => ask(opened, { candidate, reservation, leave }));
  } catch (error) {
    leave();
    throw error;
  }
}

/**
 * What refuses a call before (a budget, say) says nothing of the provider: it happens outside of the breaker, which would take it
 * for a sign of life. Another call may have opened it since: then nobody is asked, and nothing stays reserved.
 */
async function unlessResting<T>(
  line: Line,
  principal: Principal,
  reservation: Reservation,
  run: () => Promise<T>,
): Promise<T> {
  let hasBegun = false;
  try {
    return await throughBreaker(line, () => {
      hasBegun = true;
      return run();
    });
  } catch (error) {
    if (!hasBegun) await release(principal, reservation);
    throw error;
  }
}

/** Settles what one cost that did not answer, and says what went wrong. */
export async function settleFailed(
  principal: Principal,
  reservation: Reservation,
  error: unknown,
  hasLeft: boolean,
): Promise<ProviderFailure> {
  const failure = hasLeft ? failureOf(error) : failureBeforeLeaving(error);
  if (failure.paid === "nothing") await release(principal, reservation);
  else await settle(principal, reservation, { outcome: "failed", ...reservation.worst });
  return failure;
}

/** Of a cause its name alone: its text may hold the prompt. */
function logFailure({ ready, offered }: Candidate, { reason, cause }: ProviderFailure): void {
  const by = cause instanceof Error ? { by: cause.name } : {};
  const facts = { provider: ready.provider.id, model: offered.name, reason, ...by };
  errorsTotal.add(1, { type: `ai_provider_${reason}` });
  logger("ai").warn(facts, "a model provider did not answer");
}

/** What is told to whoever asked; `ai.errors.occurred` tells everybody else. */
async function refusalOf({ principal, kind }: Call, failed: readonly Failed[]): Promise<Error> {
  const attempts = failed.map(({ provider, model, failure: { reason } }) => ({ provider, model, reason }));
  const callId = newId();
  await withTenant(principal, (tx) =>
    emit(tx, aiErrorsOccurred, { callId, kind, attempts }, { aggregateType: "ai.call", aggregateId: callId }),
  );
  const reasons = new Set(failed.map(({ failure }) => failure.reason));
  const mayBePaid = failed.some(({ failure: { paid } }) => paid === "unknown");
  const told = {
    internal: [...reasons].join(", "),
    facts: { providers: [...new Set(failed.map(({ provider }) => provider))] },
    ...(mayBePaid ? { retryable: false as const } : {}),
  };
  if (reasons.has("given_up")) return errors.call_given_up(told);
  if (reasons.has("request_refused")) return errors.request_refused(told);
  if ([...reasons].every((reason) => reason === "key_refused")) return errors.provider_key_refused(told);
  if (mayBePaid) return errors.providers_unavailable(told);
  const waits = failed.flatMap(({ failure: { retryAfterMs } }) => retryAfterMs ?? []);
  const retryAfterSeconds = waits.length === 0 ? 15 : Math.min(3_600, Math.ceil(Math.min(...waits) / 1000));
  return errors.providers_unavailable({ ...told, retryAfterSeconds });
}
