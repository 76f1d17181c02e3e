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
import type { Principal } from "../../security/principal";
import { trackWork } from "../../telemetry/shutdown";
import { Answer } from "./answer";
import { Deadline, type ProviderRequest } from "./deadline";
import { errors } from "./errors";
import { firstToAnswer, settleFailed, type Candidate, type Reserved } from "./fallback";
import type { CallKind } from "./ledger";
import { ProviderFailure } from "./providers/failure";
import type { Model, ModelPart, ModelRequest } from "./providers/model";
import { readyProviders } from "./providers/registry";
import { openModel } from "./providers/sdk-model";
import { enterOrganisation } from "./turns";
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
  const { kind, request } = asked;
  const candidates = await candidatesFor(principal, asked.model);
  const leave = enterOrganisation(principal.tenantId);
  const deadline = new Deadline(timings.totalMs, asked.left);
  const call = { principal, kind, deadline, worst: worstCase(request), retryMaxMs: timings.retryMaxMs };
  const begin = (model: Model, reserved: Reserved): Promise<Answer> =>
    beginAnswer({ principal, request, timings, deadline }, model, reserved);
  try {
    const answer = await firstToAnswer(call, candidates, { open: openModel, ask: begin });
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

interface Beginning {
  principal: Principal;
  request: ModelRequest;
  timings: Timings;
  deadline: Deadline;
}

/** @throws ProviderFailure, and nothing is reserved any more */
async function beginAnswer(beginning: Beginning, model: Model, reserved: Reserved): Promise<Answer> {
  const { principal, request: asked, timings, deadline } = beginning;
  const { candidate, reservation, leave } = reserved;
  const { mayReason, name } = candidate.offered;
  const { beginMs, reasoningBeginMs, idleMs } = timings;
  const request = deadline.request();
  try {
    const begun = firstPart(asked, model, request);
    const { parts, first } = await request.within(mayReason ? reasoningBeginMs : beginMs, begun);
    const made = { principal, provider: candidate.ready.provider.id, model: name };
    const answer = new Answer({ ...made, reservation, deadline, idleMs, mayReason }, request, parts, first);
    answer.onEnd(leave);
    return answer;
  } catch (error) {
    const why = request.failure ?? error;
    request.end();
    throw await settleFailed(principal, reservation, why, model.hasLeft);
  }
}

interface Begun {
  parts: AsyncIterator<ModelPart>;
  first: ModelPart;
}

async function firstPart(asked: ModelRequest, model: Model, { signal }: ProviderRequest): Promise<Begun> {
  const parts = await model.stream(asked, signal);
  const first = await parts.next();
  if (first.done === true) throw new ProviderFailure("cut", { paid: "unknown" });
  return { parts, first: first.value };
}
