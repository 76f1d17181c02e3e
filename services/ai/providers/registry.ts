// Which providers there are, in the order in which they are tried, and by whose key each is asked: an organisation's own
// goes before the installation's.
import { secret } from "encore.dev/config";
import { cfg } from "../../../config";
import type { AiProvider } from "../../../config/ai";
import type { Principal } from "../../../security/principal";
import { readSecret, storedAmong } from "../../../secrets/tenant-secret";
import { listedPrice, priceList, type Price } from "../prices";

const providerKeys = secret("AiProviderKeys");

export interface OfferedModel {
  name: string;
  price: Price;
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
      return found === undefined ? [] : [{ name, price: found }];
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

/** The providers somebody has a key of, in the order in which they are tried. */
export async function readyProviders(principal: Principal): Promise<ReadyProvider[]> {
  const stored = await storedAmong(
    principal,
    providers().map(({ id }) => secretNameOf(id)),
  );
  return providers().flatMap((provider): ReadyProvider[] => {
    const { id } = provider;
    if (stored.has(secretNameOf(id))) return [{ provider, keyOf: "organisation" }];
    return installationKey(id) === undefined ? [] : [{ provider, keyOf: "installation" }];
  });
}

/** The key itself, for the call that needs it. @throws APIError secret_not_found, secret_unreadable */
export async function keyFor(principal: Principal, { provider, keyOf }: ReadyProvider): Promise<string> {
  if (keyOf === "organisation") return (await readSecret(principal, secretNameOf(provider.id))).reveal();
  const key = installationKey(provider.id);
  if (key === undefined) throw new Error(`the installation has no key of ${provider.id} any more`);
  return key;
}
