// Which model providers there are for the caller's organisation.
import { api } from "encore.dev/api";
import { currentPrincipal } from "../../../security/principal";
import { isHealthy } from "../providers/breakers";
import { lineOf, providers, readyProviders, type Provider } from "../providers/registry";

interface ShownProvider {
  id: string;
  kind: "openai" | "anthropic" | "mistral" | "compatible";
  /** False while this process leaves it alone, because it failed again and again. */
  healthy: boolean;
  /** Whether there is a key. */
  configured: boolean;
  /** Whose key it is asked by. */
  key?: "installation" | "organisation";
  models: string[];
}

interface ProvidersResponse {
  /** In the order in which they are tried. */
  providers: ShownProvider[];
}

/** As one that nobody has a key of. */
const shownOf = ({ id, kind, models }: Provider): ShownProvider => ({
  ...{ id, kind, healthy: true, configured: false },
  models: models.map(({ name }) => name),
});

/** The providers, and whether each can be asked. */
export const listProviders = api(
  { expose: true, auth: true, method: "GET", path: "/ai/providers", tags: ["can:ai.use"] },
  async (): Promise<ProvidersResponse> => {
    const principal = currentPrincipal();
    const ready = await readyProviders(principal);
    const tried = ready.map((one): ShownProvider => ({
      ...shownOf(one.provider),
      ...{ healthy: isHealthy(lineOf(principal, one)), configured: true, key: one.keyOf },
    }));
    const others = providers().filter(({ id }) => tried.every((one) => one.id !== id));
    return { providers: [...tried, ...others.map(shownOf)] };
  },
);
