// The OpenID providers that people sign in with, and our clients of them, by openid-client. What a provider says of itself
// is kept for ten minutes, and a failure to ask for ten seconds; its keys are kept by the library. A provider that hangs
// or floods holds so many people and no more: beyond them its people are refused at once, everybody else goes on. Requests to
// organisations' have turns by organisation, so that many of them that hang stop no other; one that hung is left alone for a
// while, and its people are told at once (security/fair-turns.ts).
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
import { FairTurns, type FairTurnsMax } from "../../security/fair-turns";
import { assertAllowed, givenUp, outboundFetch, type OutboundRules } from "../../security/outbound";
import { RecentMap } from "../../security/recent-map";
import { withinTime } from "../../telemetry/time-limit";
import { BoundedTurns } from "../bounded-turns";
import { errors } from "../errors";
import { asRefusal, OidcProblem, refusedTurn } from "./failures";
import { clientSecretOf } from "./keys";
import { organisationProvider } from "./organisation-provider";
import type { Provider } from "./provider";

export type { Provider } from "./provider";

const KEPT_MS = 600_000;
const FAILURE_KEPT_MS = 10_000;
const PROVIDERS_MAX = 200;
/** People of one provider, in one process. */
const AT_ONCE = 32;
const ORGANISATIONS_MAX = 1_000;
/** Requests to organisations' providers, which may be anything. */
const TURNS: Omit<FairTurnsMax, "silentAfterMs"> = {
  lines: {
    untried: { ofOne: 2, inAll: 128 },
    prompt: { ofOne: 8, inAll: 128 },
    slow: { ofOne: 8, inAll: 64 },
    silent: { ofOne: 1, inAll: 32 },
  },
  waitingOfOne: 32,
  // Of the whole.
  waitMsMax: 5_000,
};
const TIMEOUT_MS = 5_000;
/** Of that time. What is left of it after a turn's waiting and the requests before is often less. */
const SILENT_AFTER = 0.6;

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
  /** By which it is told who hangs. */
  nowMs?: () => number;
  /** http and loopback; never in production. */
  allowLoopback?: boolean;
}

export class OidcClients {
  private readonly known = new RecentMap<Known>(PROVIDERS_MAX);
  private readonly knownOfOrganisations = new RecentMap<Known>(ORGANISATIONS_MAX);
  private readonly turns: FairTurns;

  constructor(private readonly settings: OidcSettings) {
    const { timeoutMs = TIMEOUT_MS, nowMs } = settings;
    this.turns = new FairTurns({ ...TURNS, silentAfterMs: timeoutMs * SILENT_AFTER }, nowMs);
  }

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
    return known.turns.run(async () => {
      const ending = new AbortController();
      const asking = async (): Promise<T> => work(await this.clientOf(known, provider));
      try {
        return await withinTime(givenUp.run(ending.signal, asking), timeoutMs);
      } catch (error) {
        ending.abort();
        throw asRefusal(error, provider.id, error === known.failure ? secondsUntil(known.goodUntilMs) : undefined);
      }
    });
  }

  private knownOf(provider: Provider): Known {
    const { id, issuer, clientId, clientSecret, trust } = provider;
    const all = trust === "organisation" ? this.knownOfOrganisations : this.known;
    const from = createHash("sha256")
      .update(JSON.stringify([issuer, clientId, clientSecret]))
      .digest("base64url");
    const present = all.get(id);
    if (present?.from === from) return present;
    const made: Known = { from, turns: new BoundedTurns(AT_ONCE, 0), goodUntilMs: 0 };
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
          if (refusedTurn(failure) === undefined) known.goodUntilMs = performance.now() + FAILURE_KEPT_MS;
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
        [customFetch]: this.fetchFor(provider, rules),
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

  private fetchFor({ id, trust, tenantId }: Provider, rules: OutboundRules): ReturnType<typeof outboundFetch> {
    const fetch = outboundFetch(rules);
    if (trust === "operator") return fetch;
    // By organisation and not by provider: another issuer, or a provider made anew, does not begin anew.
    const whose = tenantId ?? id;
    return (url, init) => {
      const given = init.signal === undefined ? [] : [init.signal];
      return this.turns.run(whose, (cut) => fetch(url, { ...init, signal: AbortSignal.any([cut, ...given]) }), [
        ...given,
        givenUp.getStore(),
      ]);
    };
  }
}

const secondsUntil = (atMs: number): number => Math.max(1, Math.ceil((atMs - performance.now()) / 1_000));

export const oidcClients = new OidcClients({
  providers: () =>
    cfg.auth.oidcProviders.flatMap((provider): Provider[] => {
      const clientSecret = clientSecretOf(provider.id);
      return clientSecret === undefined ? [] : [{ ...provider, clientSecret, trust: "operator" }];
    }),
  ofOrganisation: organisationProvider,
  allowLoopback: cfg.env !== "production",
});
