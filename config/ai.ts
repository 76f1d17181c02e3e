// The model providers of the installation (AI_PROVIDERS): JSON, because each has several parts. Their keys are no
// configuration: they stand in the secret AiProviderKeys, or are an organisation's own.
import { z } from "zod";
import { parseJson } from "./json-variable";

export interface AiModel {
  /** As the provider calls it. */
  name: string;
  /** Micro-dollars per million tokens; both or none. None: the price list of services/ai has it. */
  price?: { input: number; output: number };
}

export interface AiProvider {
  /** Names it in the API, in what is stored and in the names of keys: it stays. */
  id: string;
  kind: "openai" | "anthropic" | "mistral" | "compatible";
  /** Where its API begins; the provider's own address if not given. */
  baseUrl?: string;
  /** The first is used when a call names none. */
  models: AiModel[];
}

const PROVIDERS_MAX = 10;
const MODELS_MAX = 50;
/** A thousand dollars for a million tokens. */
const PRICE_MAX = 1_000_000_000;

function isBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, search, hash } = new URL(text);
  return (protocol === "https:" || protocol === "http:") && username === "" && search === "" && hash === "";
}

const price = z
  .int("has a price that is no whole number of micro-dollars")
  .min(0, "has a negative price")
  .max(PRICE_MAX, "has a price above a thousand dollars");
const modelName = z.string().regex(/^[\w.:/@-]{1,200}$/, "has a model with a name of other characters");

const model = z.union(
  [
    modelName.transform((name): AiModel => ({ name })),
    z
      .strictObject({ name: modelName, inputPrice: price, outputPrice: price })
      .transform(({ name, inputPrice, outputPrice }): AiModel => ({
        name,
        price: { input: inputPrice, output: outputPrice },
      })),
  ],
  "has a model that is neither a name nor {name, inputPrice, outputPrice}",
);

const provider = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "has an id that is not of letters, digits and dashes"),
    kind: z.enum(["openai", "anthropic", "mistral", "compatible"], "has a kind that is not known"),
    baseUrl: z
      .string()
      .max(500, "has a long baseUrl")
      .refine(isBaseUrl, "has a baseUrl that is no http(s) address")
      .optional(),
    models: z.array(model).min(1, "has no models").max(MODELS_MAX, `has more than ${MODELS_MAX} models`),
  })
  .refine(({ kind, baseUrl }) => kind !== "compatible" || baseUrl !== undefined, "has no baseUrl, nor a kind with one")
  .transform(({ baseUrl, ...read }): AiProvider => ({ ...read, ...(baseUrl === undefined ? {} : { baseUrl }) }));

export const aiProviders = parseJson(20_000).pipe(
  z
    .array(provider, "is no list of providers")
    .max(PROVIDERS_MAX, `has more than ${PROVIDERS_MAX} providers`)
    .refine((list) => new Set(list.map(({ id }) => id)).size === list.length, "has an id twice"),
);

export const AI_REMEDY = 'a JSON list such as [{"id":"openai","kind":"openai","models":["gpt-5-mini"]}]';

const isLoopback = (url: string): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(new URL(url).hostname);

/** Prompts and keys leave in clear; http is for servers of this machine. */
export const hasInsecureProvider = (list: readonly AiProvider[]): boolean =>
  list.some(({ baseUrl }) => baseUrl?.startsWith("http:") === true && !isLoopback(baseUrl));
