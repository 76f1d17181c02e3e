// Which model providers there are for the caller's organisation.
import { api } from "encore.dev/api";
import { currentPrincipal } from "../../../security/principal";
import { isHealthy } from "../providers/breakers";
import { providers, readyProviders } from "../providers/registry";

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

/** The providers, and whether each can be asked. */
export const listProviders = api(
  { expose: true, auth: true, method: "GET", path: "/ai/providers", tags: ["can:ai.use"] },
  async (): Promise<ProvidersResponse> => {
    const ready = await readyProviders(currentPrincipal());
    const shown = providers().map(({ id, kind, models }): ShownProvider => {
      const keyOf = ready.find(({ provider }) => provider.id === id)?.keyOf;
      const key = keyOf === undefined ? {} : { key: keyOf };
      return {
        id,
        kind,
        healthy: isHealthy(id),
        configured: keyOf !== undefined,
        ...key,
        models: models.map(({ name }) => name),
      };
    });
    return { providers: shown };
  },
);
