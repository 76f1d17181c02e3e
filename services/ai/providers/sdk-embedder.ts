// The providers' models that turn texts into vectors, through the packages of the `ai` family, as sdk-model.ts. Anthropic has none.
import type { EmbeddingModelV3, SharedV3ProviderOptions } from "@ai-sdk/provider";
import type { Journey } from "./bounded-fetch";
import { ProviderFailure } from "./failure";
import type { Provider } from "./registry";
import { assertFitsHeader, settingsOf, type Opening } from "./sdk-settings";

/** Of one request: Mistral takes no more, and an answer is read in one go, on the thread that answers everybody. */
export const TEXTS_PER_REQUEST = 32;

export interface Embedded {
  /** In the order of the texts, all of one length. */
  vectors: number[][];
  /** Undefined where the provider does not tell. */
  tokens: number | undefined;
}

/** For one call. */
export interface EmbeddingModel {
  /** Whether a request has left for the provider. */
  readonly hasLeft: boolean;
  /** @param texts at most TEXTS_PER_REQUEST. @throws whatever the transport throws, and ProviderFailure for an answer that is none */
  embed(texts: readonly string[], dimensions: number | undefined, signal: AbortSignal): Promise<Embedded>;
}

export const canEmbed = ({ kind }: Provider): boolean => kind !== "anthropic";

/** Loads the package, before the time that a provider has. */
async function makerOf(opening: Opening): Promise<(journey: Journey) => EmbeddingModelV3> {
  const { provider, model } = opening;
  switch (provider.kind) {
    case "openai": {
      const { createOpenAI } = await import("@ai-sdk/openai");
      return (journey) => createOpenAI(settingsOf(opening, journey)).embeddingModel(model);
    }
    case "mistral": {
      const { createMistral } = await import("@ai-sdk/mistral");
      return (journey) => createMistral(settingsOf(opening, journey)).embeddingModel(model);
    }
    case "compatible": {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      const made = { baseURL: provider.baseUrl ?? "", name: provider.id };
      return (journey) => createOpenAICompatible({ ...settingsOf(opening, journey), ...made }).embeddingModel(model);
    }
    case "anthropic":
      throw new Error("Anthropic has no models that embed: nobody is to ask for one (canEmbed)");
  }
}

export async function openEmbedder(opening: Opening): Promise<EmbeddingModel> {
  const make = await makerOf(opening);
  const journey: Journey = { hasLeft: false };
  return {
    get hasLeft() {
      return journey.hasLeft;
    },
    embed: async (texts, dimensions, abortSignal) => {
      assertFitsHeader(opening);
      // Its package would pass it over.
      if (dimensions !== undefined && opening.provider.kind === "mistral")
        throw new ProviderFailure("request_refused", { paid: "nothing" });
      const asked = { values: [...texts], abortSignal, providerOptions: optionsOf(dimensions) };
      const { embeddings: vectors, usage } = await make(journey).doEmbed(asked);
      if (!areVectors(vectors, texts.length, dimensions)) throw new ProviderFailure("cut", { paid: "unknown" });
      return { vectors, tokens: usage?.tokens };
    },
  };
}

const optionsOf = (dimensions: number | undefined): SharedV3ProviderOptions =>
  dimensions === undefined ? {} : { openai: { dimensions }, openaiCompatible: { dimensions } };

/** Numbers that JSON writes as `1e999` are none. */
function areVectors(vectors: readonly number[][], count: number, dimensions = vectors[0]?.length ?? 0): boolean {
  const isOne = (vector: readonly number[]): boolean =>
    vector.length === dimensions && vector.every((value) => Number.isFinite(value));
  return vectors.length === count && dimensions > 0 && vectors.every(isOne);
}
