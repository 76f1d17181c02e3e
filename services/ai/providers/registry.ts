// Which providers there are, in the order in which they are tried, and by whose key each is asked: an organisation's own
// goes before the installation's, over all providers, so that who pays for themselves uses up nothing of others'.
import { secret } from "encore.dev/config";
import { cfg } from "../../../config";
import type { AiProvider } from "../../../config/ai";
import type { Principal } from "../../../security/principal";
import { readSecret, storedAmong } from "../../../secrets/tenant-secret";
import { listedPrice, mayReason, priceList, type Price } from "../prices";
import type { Line } from "./breakers";

const providerKeys = secret("AiProviderKeys");

export interface OfferedModel {
  name: string;
  price: Price;
  /** It may think before it says a word, and bill that. */
  mayReason: boolean;
}

export interface Provider extends Omit<AiProvider, "models"> {
  models: readonly OfferedModel[];
}

/** A provider with a key of somebody's. */
export interface ReadyProvider {
  provider: Provider;
  /** Whose key it is asked by. */
  keyOf: "installation" | "organisation";
}

const known: readonly AiProvider[] = (["openai", "anthropic", "mistral"] as const).map((kind) => ({
  ...{ id: kind, kind },
  models: Object.keys(priceList[kind]).map((name) => ({ name })),
}));

/** @throws Error naming the models that nobody said a price of: a call whose price is unknown fits into no budget. */
export function withPrices(declared: readonly AiProvider[]): Provider[] {
  const unpriced: string[] = [];
  const providers = declared.map(({ models, ...provider }) => ({
    ...provider,
    models: models.flatMap(({ name, price }) => {
      const found = price ?? listedPrice(provider.kind, name);
      if (found === undefined) unpriced.push(`${provider.id}/${name}`);
      return found === undefined ? [] : [{ name, price: found, mayReason: mayReason(provider.kind, name) }];
    }),
  }));
  if (unpriced.length > 0)
    throw new Error(`no price is known of ${unpriced.join(", ")}: say inputPrice and outputPrice of each`);
  return providers;
}

let offered: readonly Provider[] | undefined;

/** In the order in which they are tried. */
export function providers(): readonly Provider[] {
  offered ??= withPrices((cfg.ai.providers as readonly AiProvider[] | undefined) ?? known);
  return offered;
}

/** @throws Error with what is wrong with AI_PROVIDERS beyond its form. */
export function assertProviders(): void {
  providers();
}

/** Others in their place, for tests; returns what puts the former ones back. */
export function replaceProviders(declared: readonly AiProvider[]): () => void {
  const former = offered;
  offered = withPrices(declared);
  return () => {
    offered = former;
  };
}

/** Of the installation, from the secret AiProviderKeys: one `id=key` a line. Undefined when it has none. */
export function installationKey(id: string, text = providerKeys()): string | undefined {
  const start = `${id}=`;
  const line = text.split("\n").find((candidate) => candidate.trim().startsWith(start));
  const found = line?.trim().slice(start.length).trim();
  return found === "" ? undefined : found;
}

/** What an organisation names the secret that holds its own key of a provider. */
export const secretNameOf = (id: string): string => `ai.${id}`;

/** The providers somebody has a key of, in the order in which they are tried: all by keys of the organisation's own first. */
export async function readyProviders(principal: Principal): Promise<ReadyProvider[]> {
  const stored = await storedAmong(
    principal,
    providers().map(({ id }) => secretNameOf(id)),
  );
  const isOwn = ({ id }: Provider): boolean => stored.has(secretNameOf(id));
  const own = providers().filter(isOwn);
  const others = providers().filter((provider) => !isOwn(provider) && installationKey(provider.id) !== undefined);
  return [
    ...own.map((provider): ReadyProvider => ({ provider, keyOf: "organisation" })),
    ...others.map((provider): ReadyProvider => ({ provider, keyOf: "installation" })),
  ];
}

/** A provider and whose key it is asked by, as its breaker is named. */
export const lineOf = ({ tenantId }: Principal, { provider: { id }, keyOf }: ReadyProvider): Line => ({
  provider: id,
  owner: keyOf === "organisation" ? tenantId : keyOf,
});

/** The key itself, for the call that needs it. @throws APIError secret_not_found, secret_unreadable */
export async function keyFor(principal: Principal, { provider, keyOf }: ReadyProvider): Promise<string> {
  if (keyOf === "organisation") return (await readSecret(principal, secretNameOf(provider.id))).reveal();
  const key = installationKey(provider.id);
  if (key === undefined) throw new Error(`the installation has no key of ${provider.id} any more`);
  return key;
}
