// One call of a model, whichever provider answers it:
//
//   for each provider that has the model, in order, unless its breaker is open:
//     reserve ── ask ── it begins to answer ── parts ── settled at what it cost
//                  └ it does not begin: nothing was paid → released; perhaps paid → settled in full; the next provider
//   when all failed and nothing was paid, and they want to be left alone for a moment only: once more
//
// A provider that may have been paid is never asked again, and nobody else once an answer has begun. All of it happens within
// one deadline; a provider that does not begin, or falls silent, is given up before. Whoever leaves ends the provider's
// request. Model: Portkey's gateway (fallbacks, deadlines); LiteLLM's budgets leak where these two meet (ledger.ts).
import { cfg } from "../../config";
import { withTenant } from "../../db/tenant";
import { aiErrorsOccurred } from "../../events/catalog/ai";
import { emit } from "../../events/outbox";
import { newId } from "../../db/ids";
import type { Principal } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { errorsTotal } from "../../telemetry/metrics";
import { Answer } from "./answer";
import { Deadline } from "./deadline";
import { errors } from "./errors";
import { release, reserve, settle, type CallKind, type Reservation } from "./ledger";
import { throughBreaker } from "./providers/breakers";
import { failureOf, ProviderFailure } from "./providers/failure";
import type { Model, ModelRequest } from "./providers/model";
import { keyFor, readyProviders, type OfferedModel, type ReadyProvider } from "./providers/registry";
import { openModel } from "./providers/sdk-model";
import { enterOrganisation, enterProvider } from "./turns";
import { worstCase } from "./worst-case";

export interface Asked {
  kind: CallKind;
  request: ModelRequest;
  /** A model's name; the first of each provider if not given. */
  model?: string | undefined;
  /** Aborts when whoever asked has left. */
  left?: AbortSignal | undefined;
}

export interface Timings {
  /** Of the whole call, to the last part. */
  totalMs: number;
  /** Until a provider's first part. */
  beginMs: number;
  /** Between two parts. */
  idleMs: number;
  /** Longest wait that a provider's retry-after is obeyed for. */
  retryMaxMs: number;
}

/** Reservations live longer than the whole (ledger.ts). */
export const TIMINGS: Timings = { totalMs: 300_000, beginMs: 30_000, idleMs: 60_000, retryMaxMs: 2_000 };
const RETRY_MS = 200;

interface Candidate {
  ready: ReadyProvider;
  offered: OfferedModel;
}

interface Failed {
  provider: string;
  model: string;
  failure: ProviderFailure;
}

/** @throws APIError ai_not_configured, model_not_found */
async function candidatesFor(principal: Principal, model: string | undefined): Promise<Candidate[]> {
  const ready = await readyProviders(principal);
  if (ready.length === 0) throw errors.ai_not_configured();
  const found = ready.flatMap((one): Candidate[] => {
    const { models } = one.provider;
    const offered = model === undefined ? models[0] : models.find(({ name }) => name === model);
    return offered === undefined ? [] : [{ ready: one, offered }];
  });
  if (found.length === 0) throw errors.model_not_found();
  return found;
}

/**
 * Asks, and resolves when an answer has begun; its parts are to be read, or the answer closed.
 * @throws APIError ai_not_configured, model_not_found, budget_exhausted, rate_limited, providers_unavailable, request_refused,
 * provider_key_refused, call_given_up
 */
export async function ask(principal: Principal, asked: Asked, timings: Timings = TIMINGS): Promise<Answer> {
  const candidates = await candidatesFor(principal, asked.model);
  const leave = enterOrganisation(principal.tenantId);
  const deadline = new Deadline(timings.totalMs, asked.left);
  try {
    const answer = await firstAnswer({ principal, asked, timings, deadline }, candidates);
    answer.onEnd(() => {
      deadline.end();
      leave();
    });
    return answer;
  } catch (error) {
    deadline.end();
    leave();
    throw error;
  }
}

interface Call {
  principal: Principal;
  asked: Asked;
  timings: Timings;
  deadline: Deadline;
}

async function firstAnswer(call: Call, candidates: readonly Candidate[]): Promise<Answer> {
  const failed: Failed[] = [];
  let round: readonly Candidate[] = candidates;
  for (let isFirst = true; ; isFirst = false) {
    const retryable: Candidate[] = [];
    for (const candidate of round) {
      const outcome = await attempt(call, candidate);
      if (outcome instanceof Answer) return outcome;
      failed.push({ provider: candidate.ready.provider.id, model: candidate.offered.name, failure: outcome });
      noteFailure(candidate, outcome);
      if (!outcome.mayAskOthers) throw await refusalOf(call, failed);
      if (outcome.isRetryable) retryable.push(candidate);
    }
    const waitMs = Math.min(...failed.map(({ failure }) => failure.retryAfterMs ?? RETRY_MS));
    if (!isFirst || retryable.length === 0 || waitMs > call.timings.retryMaxMs) throw await refusalOf(call, failed);
    await call.deadline.pause(waitMs);
    round = retryable;
  }
}

/** An answer that has begun, or why there is none; what was reserved for it is settled then. */
async function attempt(call: Call, candidate: Candidate): Promise<Answer | ProviderFailure> {
  const { principal, asked, deadline, timings } = call;
  const { ready, offered } = candidate;
  const { id } = ready.provider;
  if (deadline.isOver) return new ProviderFailure("given_up", { paid: "nothing" });
  const leave = enterProvider(id);
  try {
    return await throughBreaker(id, async () => {
      const model = await openModel({
        provider: ready.provider,
        model: offered.name,
        key: await keyFor(principal, ready),
      });
      const worst = worstCase(asked.request);
      const { kind } = asked;
      const planned = { kind, provider: id, model: offered.name, price: offered.price, keyOf: ready.keyOf, worst };
      const reservation = await reserve(principal, planned, new Date(), cfg.ai.dayMicroUsd);
      const made = { principal, provider: id, model: offered.name, reservation, deadline, idleMs: timings.idleMs };
      const answer = await begin(call, model, reservation, made);
      answer.onEnd(leave);
      return answer;
    });
  } catch (error) {
    leave();
    if (error instanceof ProviderFailure) return error;
    throw error;
  }
}

/** @throws ProviderFailure, and nothing is reserved any more */
async function begin(
  { principal, asked, deadline, timings }: Call,
  model: Model,
  reservation: Reservation,
  made: ConstructorParameters<typeof Answer>[0],
): Promise<Answer> {
  const request = deadline.request();
  try {
    const parts = await request.within(timings.beginMs, model.stream(asked.request, request.signal));
    const first = await request.within(timings.beginMs, parts.next());
    if (first.done === true) throw new ProviderFailure("cut", { paid: "unknown" });
    return new Answer(made, request, parts, first.value);
  } catch (error) {
    const failure = request.failure ?? failureOf(error);
    request.end();
    if (failure.paid === "nothing") await release(principal, reservation);
    else await settle(principal, reservation, { outcome: "failed", ...reservation.worst });
    throw failure;
  }
}

function noteFailure({ ready, offered }: Candidate, { reason }: ProviderFailure): void {
  const facts = { provider: ready.provider.id, model: offered.name, reason };
  errorsTotal.add(1, { type: `ai_provider_${reason}` });
  logger("ai").warn(facts, "a model provider did not answer");
}

/** What is told to whoever asked; `ai.errors.occurred` tells everybody else. */
async function refusalOf({ principal, asked }: Call, failed: readonly Failed[]): Promise<Error> {
  const attempts = failed.map(({ provider, model, failure: { reason } }) => ({ provider, model, reason }));
  const callId = newId();
  await withTenant(principal, (tx) =>
    emit(
      tx,
      aiErrorsOccurred,
      { callId, kind: asked.kind, attempts },
      { aggregateType: "ai.call", aggregateId: callId },
    ),
  );
  const reasons = new Set(failed.map(({ failure }) => failure.reason));
  const told = {
    internal: [...reasons].join(", "),
    facts: { providers: [...new Set(failed.map(({ provider }) => provider))] },
  };
  if (reasons.has("given_up")) return errors.call_given_up(told);
  if (reasons.has("request_refused")) return errors.request_refused(told);
  if ([...reasons].every((reason) => reason === "key_refused")) return errors.provider_key_refused(told);
  const waits = failed.flatMap(({ failure: { retryAfterMs } }) => retryAfterMs ?? []);
  const retryAfterSeconds = waits.length === 0 ? 15 : Math.min(3_600, Math.ceil(Math.min(...waits) / 1000));
  return errors.providers_unavailable({ ...told, retryAfterSeconds });
}
