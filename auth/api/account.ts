// What a person does with their own account: sign-ins and organisations.
import { api, type Header } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { isUuid } from "../../db/ids";
import { currentCaller } from "../../security/principal";
import { endOtherSignIns, endSignIn, listClosing, listOrganisations, listSignIns, whoAmI } from "../account";
import type { SessionResponse } from "../api";
import { answerLikeAsked, browserJar, forgetAccount, isByCookie } from "../browser/answer";
import { errors } from "../errors";
import { createOrganisation as makeOrganisation, switchOrganisation } from "../organisations";
import { signOut } from "../sessions";

interface LogoutRequest {
  /** Every sign-in of the account, on every device. */
  everywhere?: boolean;
}

interface LogoutResponse {
  /** Removes the cookies of a caller who came by them. */
  setCookie?: Header<"Set-Cookie">;
}

/** Ends the sign-in of the access token, in all its organisations. */
export const logout = api(
  { expose: true, auth: true, method: "POST", path: "/auth/logout", tags: ["self", "limit:auth"] },
  async ({ everywhere }: LogoutRequest): Promise<LogoutResponse> => {
    const caller = currentCaller();
    await signOut(caller, everywhere);
    return isByCookie() ? { setCookie: forgetAccount(browserJar(), caller.subjectId) } : {};
  },
);

interface OrganisationOfCaller {
  id: string;
  name: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
}

interface MeResponse {
  kind: "user" | "key" | "service" | "operator";
  /** Of a person. */
  user?: { id: string; email: string; emailVerified: boolean };
  /** Of the platform's staff. */
  operator?: { id: string; email: string };
  /** The one that is chosen; null for none. */
  organisation: { id: string; name: string } | null;
  /** Of a person in an organisation. */
  role?: "owner" | "admin" | "member" | "viewer" | "custom";
  permissions: string[];
  organisations: OrganisationOfCaller[];
}

/** Who the credentials speak for, and what they may do. */
export const me = api(
  { expose: true, auth: true, method: "GET", path: "/auth/me", tags: ["caller"] },
  async (): Promise<MeResponse> => whoAmI(currentCaller()),
);

interface SwitchRequest {
  organisationId: string;
}

/** Exchanges the access token for tokens in another organisation of the account; the present ones stay good. */
export const switchTo = api(
  { expose: true, auth: true, method: "POST", path: "/auth/switch", sensitive: true, tags: ["self", "limit:auth"] },
  async ({ organisationId }: SwitchRequest): Promise<SessionResponse> => {
    const caller = currentCaller();
    if (!isUuid(organisationId)) throw errors.organisation_not_found();
    return answerLikeAsked(await switchOrganisation(caller, organisationId, new Date()));
  },
);

interface SignIn {
  id: string;
  /** What the browser or program called itself; absent when it said nothing. */
  device?: string;
  /** Whether it is the one that asks. */
  current: boolean;
  /** ISO 8601. */
  createdAt: string;
  lastUsedAt: string;
  /** Sooner, when it is not used for AUTH_SESSION_IDLE_SECONDS. */
  expiresAt: string;
}

interface SignInsResponse {
  sessions: SignIn[];
}

/** The account's live sign-ins, one for each device, the last used first. */
export const listSessions = api(
  { expose: true, auth: true, method: "GET", path: "/auth/sessions", tags: ["self"] },
  async (): Promise<SignInsResponse> => {
    const rows = await listSignIns(currentCaller());
    return {
      sessions: rows.map(({ id, device, isCurrent, createdAt, lastUsedAt, expiresAt }) => ({
        id,
        ...(device === null ? {} : { device }),
        current: isCurrent,
        createdAt: createdAt.toISOString(),
        lastUsedAt: lastUsedAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
      })),
    };
  },
);

/** Ends one of the account's sign-ins. */
export const endSession = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/sessions/:id", tags: ["self"] },
  async ({ id }: { id: string }): Promise<void> => {
    const caller = currentCaller();
    if (!isUuid(id)) throw errors.session_not_found();
    await endSignIn(caller, id);
  },
);

/** Ends all of the account's sign-ins but the one that asks, access tokens within two seconds. */
export const endOtherSessions = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/sessions", tags: ["self"] },
  async (): Promise<void> => endOtherSignIns(currentCaller()),
);

interface CreateOrganisationRequest {
  name: string & MinLen<1> & MaxLen<200>;
}

/** Makes an organisation that the caller owns; POST /auth/switch chooses it. */
export const createOrganisation = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/organisations",
    tags: ["self", "own-proof", "limit:auth", "idempotent"],
  },
  async (req: CreateOrganisationRequest): Promise<OrganisationOfCaller> =>
    makeOrganisation(currentCaller(), req, new Date()),
);

interface ClosingOrganisation {
  id: string;
  name: string;
  /** ISO 8601. */
  purgeAt: string;
}

interface OrganisationsResponse {
  organisations: OrganisationOfCaller[];
  /** Those that the caller owns and that are being deleted: POST /auth/organisations/:id/restore takes it back. */
  closing: ClosingOrganisation[];
}

/** The organisations that the account belongs to, the oldest membership first. */
export const organisations = api(
  { expose: true, auth: true, method: "GET", path: "/auth/organisations", tags: ["self"] },
  async (): Promise<OrganisationsResponse> => {
    const caller = currentCaller();
    const closing = await listClosing(caller);
    return {
      organisations: await listOrganisations(caller),
      closing: closing.map(({ id, name, purgeAt }) => ({ id, name, purgeAt: purgeAt.toISOString() })),
    };
  },
);
