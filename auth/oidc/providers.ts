// The OpenID providers that people sign in with, and our clients of them, by openid-client. What a provider says of itself
// is kept for ten minutes, and a failure to ask for ten seconds; its keys are kept by the library. A provider that hangs
// or floods holds so many requests and no more: beyond them its people are refused at once, everybody else goes on.
import {
  allowInsecureRequests,
  ClientSecretPost,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  type Configuration,
} from "openid-client";
import { createHash } from "node:crypto";
import { cfg } from "../../config";
import { assertAllowed, givenUp, outboundFetch, type OutboundRules } from "../../security/outbound";
import { RecentMap } from "../../security/recent-map";
import { withinTime } from "../../telemetry/time-limit";
import { BoundedTurns } from "../bounded-turns";
import { errors } from "../errors";
import { asRefusal, OidcProblem } from "./failures";
import { clientSecretOf } from "./keys";
import { organisationProvider } from "./organisation-provider";
import type { Provider } from "./provider";

export type { Provider } from "./provider";

const KEPT_MS = 600_000;
const FAILURE_KEPT_MS = 10_000;
const PROVIDERS_MAX = 200;
/** Of one provider, in one process. */
const AT_ONCE = 32;
/** Of organisations, whose providers may be anything: few of one, so that one that hangs leaves the others theirs. */
const ORGANISATIONS_MAX = 1_000;
const AT_ONCE_OF_ORGANISATION = 8;
const AT_ONCE_OF_ORGANISATIONS = 256;
const TIMEOUT_MS = 5_000;

interface Known {
  /** What it was made from: another secret or issuer makes another client. */
  from: string;
  turns: BoundedTurns;
  client?: Configuration;
  failure?: unknown;
  asked?: Promise<Configuration>;
  goodUntilMs: number;
}

export interface OidcSettings {
  providers: () => readonly Provider[];
  /** The provider of an organisation, by its id. */
  ofOrganisation?: (id: string) => Promise<Provider | undefined>;
  timeoutMs?: number;
  /** http and loopback; never in production. */
  allowLoopback?: boolean;
}

export class OidcClients {
  private readonly known = new RecentMap<Known>(PROVIDERS_MAX);
  private readonly knownOfOrganisations = new RecentMap<Known>(ORGANISATIONS_MAX);
  private readonly turnsOfOrganisations = new BoundedTurns(AT_ONCE_OF_ORGANISATIONS, 0);

  constructor(private readonly settings: OidcSettings) {}

  list(): readonly Provider[] {
    return this.settings.providers();
  }

  /** @throws APIError oidc_provider_not_found. */
  async find(id: string): Promise<Provider> {
    const found = this.list().find((candidate) => candidate.id === id) ?? (await this.settings.ofOrganisation?.(id));
    if (found === undefined) throw errors.oidc_provider_not_found();
    return found;
  }

  /**
   * Runs `work` with our client of the provider, outside any transaction: all its requests together end in time, as each by itself.
   * @throws APIError oidc_unavailable, oidc_failed (whatever of its answers is wrong), service_unavailable.
   */
  async use<T>(provider: Provider, work: (client: Configuration) => Promise<T>): Promise<T> {
    const known = this.knownOf(provider);
    const { timeoutMs = TIMEOUT_MS } = this.settings;
    const run = (): Promise<T> =>
      known.turns.run(async () => {
        const ending = new AbortController();
        const asking = async (): Promise<T> => work(await this.clientOf(known, provider));
        try {
          return await withinTime(givenUp.run(ending.signal, asking), timeoutMs);
        } catch (error) {
          ending.abort();
          throw asRefusal(error, provider.id);
        }
      });
    return provider.trust === "organisation" ? this.turnsOfOrganisations.run(run) : run();
  }

  private knownOf(provider: Provider): Known {
    const { id, issuer, clientId, clientSecret, trust } = provider;
    const isOfOrganisation = trust === "organisation";
    const all = isOfOrganisation ? this.knownOfOrganisations : this.known;
    const from = createHash("sha256")
      .update(JSON.stringify([issuer, clientId, clientSecret]))
      .digest("base64url");
    const present = all.get(id);
    if (present?.from === from) return present;
    const turns = new BoundedTurns(isOfOrganisation ? AT_ONCE_OF_ORGANISATION : AT_ONCE, 0);
    const made: Known = { from, turns, goodUntilMs: 0 };
    all.set(id, made);
    return made;
  }

  private clientOf(known: Known, provider: Provider): Promise<Configuration> {
    if (performance.now() < known.goodUntilMs) {
      if (known.client !== undefined) return Promise.resolve(known.client);
      return Promise.reject(known.failure);
    }
    // Others wait for it too: it ends by its own limit, and not with who asked first.
    known.asked ??= givenUp
      .run(undefined, () => this.discover(provider))
      .then(
        (client) => {
          known.client = client;
          known.goodUntilMs = performance.now() + KEPT_MS;
          return client;
        },
        (failure: unknown) => {
          known.failure = failure;
          known.goodUntilMs = performance.now() + FAILURE_KEPT_MS;
          // One that was known a moment ago mostly still is what it was.
          if (known.client !== undefined) return known.client;
          throw failure;
        },
      )
      .finally(() => {
        delete known.asked;
      });
    return known.asked;
  }

  private async discover(provider: Provider): Promise<Configuration> {
    const { timeoutMs = TIMEOUT_MS, allowLoopback = false } = this.settings;
    const rules: OutboundRules = { trust: provider.trust, allowLoopback };
    const server = assertAllowed(provider.issuer, rules);
    const isInsecure = server.protocol === "http:";
    const client = await discovery(
      server,
      provider.clientId,
      { client_secret: provider.clientSecret },
      ClientSecretPost(provider.clientSecret),
      {
        timeout: timeoutMs / 1000,
        [customFetch]: outboundFetch(rules),
        // ID tokens are checked by their signatures too, though they come from the provider itself.
        execute: [enableNonRepudiationChecks, ...(isInsecure ? [allowInsecureRequests] : [])],
      },
    );
    const { issuer, authorization_endpoint: authorizationEndpoint = "" } = client.serverMetadata();
    if (issuer !== provider.issuer) throw new OidcProblem("the provider calls itself by another issuer");
    // Browsers are sent there: what is no address of the web would run as a script.
    assertAllowed(authorizationEndpoint, rules);
    return client;
  }
}

export const oidcClients = new OidcClients({
  providers: () =>
    cfg.auth.oidcProviders.flatMap((provider): Provider[] => {
      const clientSecret = clientSecretOf(provider.id);
      return clientSecret === undefined ? [] : [{ ...provider, clientSecret, trust: "operator" }];
    }),
  ofOrganisation: organisationProvider,
  allowLoopback: cfg.env !== "production",
});
