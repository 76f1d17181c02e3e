// Texts to vectors. By a model of a provider, at what it costs: reserved, asked in small requests one after the other, settled. Or by
// the installation's own sentence model, which costs nothing: the one that documents are embedded by (vectors), where
// that is what the installation uses.
import { vectors as vectorsService } from "~encore/clients";
import { cfg } from "../../config";
import { commonErrors } from "../../security/common-errors";
import type { Principal } from "../../security/principal";
import { Deadline } from "./deadline";
import { errors } from "./errors";
import { firstToAnswer, settleFailed, type Candidate, type Reserved } from "./fallback";
import { settle } from "./ledger";
import { ProviderFailure } from "./providers/failure";
import { readyProviders } from "./providers/registry";
import { canEmbed, openEmbedder, TEXTS_PER_REQUEST, type EmbeddingModel } from "./providers/sdk-embedder";
import { enterLocal, enterOrganisation } from "./turns";
import { worstEmbedding } from "./worst-case";

/** Names the installation's own model, whatever is configured. */
export const LOCAL_MODEL = "local";

export interface EmbeddingsAsked {
  model: string;
  texts: readonly string[];
  /** How long the vectors are to be, of models that have a choice. */
  dimensions?: number | undefined;
  /** Aborts when whoever asked has left. */
  left?: AbortSignal | undefined;
}

export interface Embeddings {
  /** That answered: of the installation's own model its full name. */
  model: string;
  /** In the order of the texts. */
  vectors: number[][];
  /** 0 where nothing is counted, because nothing is paid. */
  tokens: number;
}

export interface EmbeddingTimings {
  totalMs: number;
  /** Of one request. */
  answerMs: number;
  retryMaxMs: number;
}

const TIMINGS: EmbeddingTimings = { totalMs: 120_000, answerMs: 30_000, retryMaxMs: 2_000 };

/** Whether the installation embeds by a model of its own, which costs nobody anything. */
export const isLocalOffered = (): boolean => cfg.embeddings.provider === "local";

/**
 * @throws APIError ai_not_configured, model_not_found, invalid_request, budget_exhausted, rate_limited, providers_unavailable,
 * request_refused, provider_key_refused, call_given_up, embedder_unavailable
 */
export async function embed(
  principal: Principal,
  asked: EmbeddingsAsked,
  timings: EmbeddingTimings = TIMINGS,
): Promise<Embeddings> {
  const ready = await readyProviders(principal);
  // Where nobody is configured a stock client's usual name of a model is answered too; the answer says by which.
  if (asked.model === LOCAL_MODEL || ready.length === 0) return embedLocally(principal, asked);
  const candidates = ready.flatMap((one): Candidate[] => {
    const offered = one.provider.models.find(({ name }) => name === asked.model);
    return offered === undefined || !canEmbed(one.provider) ? [] : [{ ready: one, offered }];
  });
  if (candidates.length === 0) throw errors.model_not_found();
  const leave = enterOrganisation(principal.tenantId);
  const deadline = new Deadline(timings.totalMs, asked.left);
  const worst = worstEmbedding(asked.texts);
  const call = { principal, kind: "embeddings" as const, deadline, worst, retryMaxMs: timings.retryMaxMs };
  try {
    return await firstToAnswer(call, candidates, {
      open: openEmbedder,
      ask: (model: EmbeddingModel, reserved) => embedAll({ principal, asked, timings, deadline }, model, reserved),
    });
  } finally {
    deadline.end();
    leave();
  }
}

interface Run {
  principal: Principal;
  asked: EmbeddingsAsked;
  timings: EmbeddingTimings;
  deadline: Deadline;
}

const inRequests = (texts: readonly string[]): (readonly string[])[] =>
  Array.from({ length: Math.ceil(texts.length / TEXTS_PER_REQUEST) }, (_, index) =>
    texts.slice(index * TEXTS_PER_REQUEST, (index + 1) * TEXTS_PER_REQUEST),
  );

/**
 * One request after the other; of several that were answered before one was not, all that was reserved counts.
 * @throws ProviderFailure, and nothing is reserved any more
 */
async function embedAll(run: Run, model: EmbeddingModel, reserved: Reserved): Promise<Embeddings> {
  const { principal, asked, timings, deadline } = run;
  const { candidate, reservation, leave } = reserved;
  const request = deadline.request();
  const vectors: number[][] = [];
  let tokens: number | undefined = 0;
  try {
    for (const texts of inRequests(asked.texts)) {
      const answer = model.embed(texts, asked.dimensions, request.signal);
      const embedded = await request.within(timings.answerMs, answer);
      vectors.push(...embedded.vectors);
      tokens = tokens === undefined || embedded.tokens === undefined ? undefined : tokens + embedded.tokens;
    }
  } catch (error) {
    const why = vectors.length === 0 ? error : new ProviderFailure("cut", { paid: "unknown", cause: error });
    throw await settleFailed(principal, reservation, request.failure ?? why, model.hasLeft);
  } finally {
    request.end();
    leave();
  }
  const used = { inputTokens: tokens ?? reservation.worst.inputTokens, outputTokens: 0 };
  await settle(principal, reservation, { outcome: "answered", ...used });
  return { model: candidate.offered.name, vectors, tokens: used.inputTokens };
}

/** @throws APIError ai_not_configured, invalid_request, rate_limited, embedder_unavailable, call_given_up */
async function embedLocally(
  { tenantId }: Principal,
  { texts, dimensions, left }: EmbeddingsAsked,
): Promise<Embeddings> {
  if (!isLocalOffered()) throw errors.ai_not_configured();
  if (dimensions !== undefined)
    throw commonErrors.invalid_request({
      fields: { dimensions: "cannot be chosen: the installation's model has one length" },
    });
  const leave = enterLocal(tenantId);
  const found: Embeddings = { model: LOCAL_MODEL, vectors: [], tokens: 0 };
  try {
    for (const some of inRequests(texts)) {
      if (left?.aborted === true) throw errors.call_given_up();
      const { model, vectors } = await vectorsService.embedTexts({ texts: [...some] });
      found.model = model;
      found.vectors.push(...vectors);
    }
    return found;
  } finally {
    leave();
  }
}
