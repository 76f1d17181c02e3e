// One call of a model, whichever provider answers it:
//
//   for each provider that has the model, in order, unless its breaker is open, it has its fill, or the installation's limit is
//   used up that it falls under:
//     reserve ── ask ── it begins to answer ── parts ── settled at what it cost
//                  └ it does not begin: nothing was paid → released; perhaps paid → settled in full; the next provider
//   when all failed: those that were not paid and want to be left alone for a moment only once more, each after its moment
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
import { trackWork } from "../../telemetry/shutdown";
import { Answer, type Made } from "./answer";
import { Deadline } from "./deadline";
import { errors } from "./errors";
import { isInstallationLimit, release, reserve, settle, type CallKind } from "./ledger";
import { isResting, resting, throughBreaker, type Line } from "./providers/breakers";
import { failureBeforeLeaving, failureOf, ProviderFailure } from "./providers/failure";
import type { Model, ModelPart, ModelRequest } from "./providers/model";
import { keyFor, lineOf, readyProviders, type OfferedModel, type ReadyProvider } from "./providers/registry";
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
  /** From asking a provider to its first part. */
  beginMs: number;
  /** The same for models that may think before they say a word (prices.ts). */
  reasoningBeginMs: number;
  /** Between two parts. */
  idleMs: number;
  /** Longest wait that a provider's retry-after is obeyed for. */
  retryMaxMs: number;
}

/** Reservations live longer than the whole (ledger.ts). */
export const TIMINGS: Timings = {
  totalMs: 300_000,
  beginMs: 30_000,
  reasoningBeginMs: 120_000,
  idleMs: 60_000,
  retryMaxMs: 2_000,
};
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
    // Also where nobody reads on (a client that is slow): what it used is settled now.
    deadline.onOver(() => void trackWork(() => answer.close()));
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

async function firstAnswer(call: Call, candidates: readonly Candidate[]): Promise<Answer> {
  const tried: Tried = { failed: [], later: [], limit: undefined };
  for (const candidate of candidates) {
    const answer = await tryOne(call, candidate, tried);
    if (answer !== undefined) return answer;
  }
  for (const { candidate, atMs } of tried.later.sort((a, b) => a.atMs - b.atMs)) {
    await call.deadline.pause(Math.max(0, atMs - performance.now()));
    const answer = await tryOne(call, candidate, { ...tried, later: [] });
    if (answer !== undefined) return answer;
  }
  if (tried.failed.length === 0 && tried.limit !== undefined) throw tried.limit as Error;
  throw await refusalOf(call, tried.failed);
}

/** Undefined where another may be asked; why is added to what was tried. @throws APIError where nobody else may */
async function tryOne(call: Call, candidate: Candidate, tried: Tried): Promise<Answer | undefined> {
  let outcome: Answer | ProviderFailure;
  try {
    outcome = await attempt(call, candidate);
  } catch (error) {
    if (!isInstallationLimit(error)) throw error;
    tried.limit = error;
    return undefined;
  }
  if (outcome instanceof Answer) return outcome;
  tried.failed.push({ provider: candidate.ready.provider.id, model: candidate.offered.name, failure: outcome });
  noteFailure(candidate, outcome);
  if (!outcome.mayAskOthers) throw await refusalOf(call, tried.failed);
  const waitMs = outcome.retryAfterMs ?? RETRY_MS;
  if (outcome.isRetryable && waitMs <= call.timings.retryMaxMs)
    tried.later.push({ candidate, atMs: performance.now() + waitMs });
  return undefined;
}

/** An answer that has begun, or why there is none; what was reserved for it is settled then. */
async function attempt(call: Call, candidate: Candidate): Promise<Answer | ProviderFailure> {
  const { principal, asked, deadline, timings } = call;
  const { ready, offered } = candidate;
  const { id } = ready.provider;
  if (deadline.isOver) return new ProviderFailure("given_up", { paid: "nothing" });
  const line = lineOf(principal, ready);
  if (isResting(line)) return resting();
  const leave = enterProvider(id);
  if (leave === undefined) return resting();
  try {
    const { name, price, mayReason } = offered;
    const model = await openModel({ provider: ready.provider, model: name, key: await keyFor(principal, ready) });
    const worst = worstCase(asked.request);
    const planned = { kind: asked.kind, provider: id, model: name, price, keyOf: ready.keyOf, worst };
    const reservation = await reserve(principal, planned, new Date(), cfg.ai.dayMicroUsd);
    const { idleMs, beginMs, reasoningBeginMs } = timings;
    const made = { principal, provider: id, model: name, reservation, deadline, idleMs, mayReason };
    const withinMs = mayReason ? reasoningBeginMs : beginMs;
    const answer = await beginUnlessResting(line, made, () => begin(asked.request, model, made, withinMs));
    answer.onEnd(leave);
    return answer;
  } catch (error) {
    leave();
    if (error instanceof ProviderFailure) return error;
    throw error;
  }
}

/**
 * What refuses a call before (a budget, say) says nothing of the provider: it happens outside of the breaker, which would take it
 * for a sign of life. Another call may have opened it since: then nobody is asked, and nothing stays reserved.
 */
async function beginUnlessResting(line: Line, made: Made, run: () => Promise<Answer>): Promise<Answer> {
  let hasBegun = false;
  try {
    return await throughBreaker(line, () => {
      hasBegun = true;
      return run();
    });
  } catch (error) {
    if (!hasBegun) await release(made.principal, made.reservation);
    throw error;
  }
}

interface Begun {
  parts: AsyncIterator<ModelPart>;
  first: ModelPart;
}

async function firstPart(asked: ModelRequest, model: Model, signal: AbortSignal): Promise<Begun> {
  const parts = await model.stream(asked, signal);
  const first = await parts.next();
  if (first.done === true) throw new ProviderFailure("cut", { paid: "unknown" });
  return { parts, first: first.value };
}

/** @throws ProviderFailure, and nothing is reserved any more */
async function begin(asked: ModelRequest, model: Model, made: Made, withinMs: number): Promise<Answer> {
  const { principal, deadline, reservation } = made;
  const request = deadline.request();
  try {
    const { parts, first } = await request.within(withinMs, firstPart(asked, model, request.signal));
    return new Answer(made, request, parts, first);
  } catch (error) {
    const why = request.failure ?? error;
    const failure = model.hasLeft ? failureOf(why) : failureBeforeLeaving(why);
    request.end();
    if (failure.paid === "nothing") await release(principal, reservation);
    else await settle(principal, reservation, { outcome: "failed", ...reservation.worst });
    throw failure;
  }
}

/** Of a cause its name alone: its text may hold the prompt. */
function noteFailure({ ready, offered }: Candidate, { reason, cause }: ProviderFailure): void {
  const by = cause instanceof Error ? { by: cause.name } : {};
  const facts = { provider: ready.provider.id, model: offered.name, reason, ...by };
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
