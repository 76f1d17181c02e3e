// What models cost, as data: micro-dollars (millionths of a dollar) per million tokens. A ledger entry names the list's
// version that it was counted with. An operator's own price (AI_PROVIDERS) goes first. Cached and batched tokens are counted at
// the full price: a ledger that errs says too much.
// Defaults from the providers' public price lists (https://openai.com/api/pricing, https://www.anthropic.com/pricing,
// https://mistral.ai/pricing), which change: whoever passes costs on says their own.
import type { AiProvider } from "../../config/ai";

export interface Price {
  input: number;
  output: number;
}

export const PRICE_LIST_VERSION = 1;

type Kind = AiProvider["kind"];

/** The first of each kind is what a call that names no model gets. */
export const priceList: Readonly<Record<Exclude<Kind, "compatible">, Readonly<Record<string, Price>>>> = {
  openai: {
    "gpt-5-mini": { input: 250_000, output: 2_000_000 },
    "gpt-5": { input: 1_250_000, output: 10_000_000 },
    "gpt-5-nano": { input: 50_000, output: 400_000 },
    "gpt-4.1": { input: 2_000_000, output: 8_000_000 },
    "gpt-4.1-mini": { input: 400_000, output: 1_600_000 },
    "gpt-4o": { input: 2_500_000, output: 10_000_000 },
    "gpt-4o-mini": { input: 150_000, output: 600_000 },
    "text-embedding-3-small": { input: 20_000, output: 0 },
    "text-embedding-3-large": { input: 130_000, output: 0 },
  },
  anthropic: {
    "claude-haiku-4-5": { input: 1_000_000, output: 5_000_000 },
    "claude-sonnet-4-5": { input: 3_000_000, output: 15_000_000 },
    "claude-opus-4-5": { input: 5_000_000, output: 25_000_000 },
  },
  mistral: {
    "mistral-small-latest": { input: 100_000, output: 300_000 },
    "mistral-medium-latest": { input: 400_000, output: 2_000_000 },
    "mistral-large-latest": { input: 2_000_000, output: 6_000_000 },
    "mistral-embed": { input: 100_000, output: 0 },
  },
};

/**
 * Models that bill no token which they do not show: by a cut answer's bytes one knows what it cost at most. Any other may think
 * before it says a word, and bill that; a name that moves from model to model (`-latest`) may do so tomorrow. Anthropic's think
 * only when they are asked to, which nobody here does.
 */
const shownInFull: Readonly<Record<Kind, ReadonlySet<string>>> = {
  openai: new Set(["gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"]),
  anthropic: new Set(["claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5"]),
  mistral: new Set(),
  compatible: new Set(),
};

/** Whether it may bill tokens that it does not show; true for what nobody knows. */
export const mayReason = (kind: Kind, model: string): boolean => !shownInFull[kind].has(model);

/** Undefined for a model that the list does not have. */
export function listedPrice(kind: Kind, model: string): Price | undefined {
  if (kind === "compatible" || !Object.hasOwn(priceList[kind], model)) return undefined;
  return priceList[kind][model];
}

/** Micro-dollars, rounded up: many small calls never cost less than they do. Exact below 9,007 dollars. */
export function costOf({ input, output }: Price, inputTokens: number, outputTokens: number): number {
  return Math.ceil((inputTokens * input + outputTokens * output) / 1_000_000);
}
