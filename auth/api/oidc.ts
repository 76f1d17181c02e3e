// Signing in by an account at an OpenID provider, and linking one. The way there and back is the browser's: `url` of the
// first answer is where it goes, `url` of the second request is where the provider sent it, /oidc/callback/:provider of APP_URL.
import { api, type Cookie } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { isUuid } from "../../db/ids";
import { callerAddress, callerDevice } from "../../security/caller-address";
import { currentCaller } from "../../security/principal";
import type { SessionResponse } from "../api";
import { answerSignIn } from "../browser/answer";
import { errors } from "../errors";
import { beginStepUp } from "../factors/step-up-elsewhere";
import { beginLink, completeLink, listIdentities, unlink } from "../oidc/identities";
import { oidcClients } from "../oidc/providers";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { STATE_SECONDS, type Begun } from "../oidc/state";

interface ListedProvider {
  /** For POST /auth/oidc/begin. */
  id: string;
  /** For people. */
  name: string;
}

interface ProvidersResponse {
  providers: ListedProvider[];
}

/** The providers that everybody may sign in with. */
export const oidcProviders = api(
  { expose: true, method: "GET", path: "/auth/oidc/providers", tags: ["public:the page to sign in shows them"] },
  async (): Promise<ProvidersResponse> => ({
    providers: await Promise.resolve(oidcClients.list().map(({ id, name }) => ({ id, name }))),
  }),
);

interface BeginSignInRequest {
  /** One of both: the id of a provider, */
  provider?: string & MinLen<1> & MaxLen<64>;
  /** or the e-mail of who signs in, for the provider of the organisation that has its domain verified. */
  email?: string & MinLen<1> & MaxLen<254>;
  /** Of the answer before, if there was one. */
  browser?: Cookie<string, "__Host-oidc">;
}

interface BeginRequest {
  provider: string & MinLen<1> & MaxLen<64>;
  /** Of the answer before, if there was one. */
  browser?: Cookie<string, "__Host-oidc">;
}

interface BeginResponse {
  /** Where the browser goes. */
  url: string;
  /** Only this browser can end what it began. */
  browser: Cookie<string, "__Host-oidc">;
}

function shown({ url, browser }: Begun): BeginResponse {
  const kept = { path: "/", secure: true, httpOnly: true, sameSite: "Strict", maxAge: STATE_SECONDS } as const;
  return { url, browser: { value: browser, ...kept } };
}

/** Begins a sign-in at a provider; POST /auth/oidc/complete ends it. */
export const beginOidc = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/oidc/begin",
    sensitive: true,
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async ({ browser, ...where }: BeginSignInRequest): Promise<BeginResponse> =>
    shown(await beginOidcSignIn({ ...where, browser: browser?.value }, new Date())),
);

interface CompleteRequest {
  /** Where the provider sent the browser, as it stands in its address bar. */
  url: string & MinLen<1> & MaxLen<8192>;
  browser?: Cookie<string, "__Host-oidc">;
  /** Tokens in cookies of the browser instead of the body; for pages of this origin. */
  cookies?: boolean;
}

/** Signs in whom the provider vouches for; registers them where nobody has their address. */
export const completeOidc = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/oidc/complete",
    sensitive: true,
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async ({ url, browser, cookies }: CompleteRequest): Promise<SessionResponse> =>
    answerSignIn(cookies, () =>
      completeOidcSignIn({ url, browser: browser?.value }, new Date(), {
        address: callerAddress(),
        device: callerDevice(),
      }),
    ),
);

interface ListedIdentity {
  id: string;
  provider: string;
  issuer: string;
  /** What the provider called it when it was linked. */
  email?: string;
  /** At the first sign-in there, which made the account, matched it by its address, or took over one that nobody had verified; or by its person's hand. */
  how: "registered" | "matched" | "claimed" | "linked";
  /** ISO 8601. */
  createdAt: string;
  lastUsedAt?: string;
}

interface IdentitiesResponse {
  identities: ListedIdentity[];
}

/** The accounts at providers that sign in to the caller's, the oldest first. */
export const identities = api(
  { expose: true, auth: true, method: "GET", path: "/auth/identities", tags: ["self"] },
  async (): Promise<IdentitiesResponse> => {
    const rows = await listIdentities(currentCaller());
    return {
      identities: rows.map(({ id, provider, issuer, email, how, createdAt, lastUsedAt }) => ({
        id,
        provider,
        issuer,
        how,
        ...(email === null ? {} : { email }),
        createdAt: createdAt.toISOString(),
        ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
      })),
    };
  },
);

/** Begins to link an account at a provider; POST /auth/identities ends it. */
export const beginIdentity = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/identities/begin",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async ({ provider, browser }: BeginRequest): Promise<BeginResponse> =>
    shown(await beginLink(currentCaller(), { provider, browser: browser?.value }, new Date())),
);

/** Begins to step up at a provider that the account is linked to, which asks anew; POST /auth/step-up ends it. */
export const stepUpOidc = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/step-up/oidc",
    sensitive: true,
    tags: ["self", "limit:auth"],
  },
  async ({ provider, browser }: BeginRequest): Promise<BeginResponse> =>
    shown(await beginStepUp(currentCaller(), { provider, browser: browser?.value }, new Date())),
);

interface LinkedResponse {
  id: string;
}

/** Links it: it signs in to the caller's account from now on. All other sign-ins of the account end. */
export const linkIdentity = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/identities",
    sensitive: true,
    tags: ["self", "own-proof", "limit:auth"],
  },
  async ({ url, browser }: CompleteRequest): Promise<LinkedResponse> =>
    completeLink(currentCaller(), { url, browser: browser?.value }, new Date()),
);

/** Unlinks it, unless nothing else signs in to the account. All other sign-ins of the account end. */
export const unlinkIdentity = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/identities/:id",
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async ({ id }: { id: string }): Promise<void> => {
    const caller = currentCaller();
    if (!isUuid(id)) throw errors.identity_not_found();
    await unlink(caller, id);
  },
);
