// Signing in, staying signed in, signing out. Rules take the time; the edge passes it. Passwords are hashed and
// tokens signed outside the transactions, which hold a connection.
import { createHash } from "node:crypto";
import { cfg } from "../config";
import { tenantIdFrom, type Principal } from "../security/principal";
import type { Role } from "../security/permissions";
import { limits } from "../security/limits";
import { logger } from "../telemetry/logger";
import { newId } from "../db/ids";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import { normaliseEmail } from "./email";
import { errors } from "./errors";
import { checkPassword } from "./passwords";
import { createRefreshToken, hashRefreshToken, judgeRefresh } from "./refresh-token";
import {
  accountFindByEmail,
  refreshTokenFindForUpdate,
  refreshTokenInsert,
  refreshTokenMarkUsed,
  sessionInsert,
  sessionRevoke,
} from "./store";
import { issueAccessToken } from "./tokens";

/** Whom a session is for. */
export interface Member {
  accountId: string;
  email: string;
  tenantId: string;
  organisation: string;
  role: Role;
}

/** What every way of signing in answers. */
export interface SignedIn {
  accessToken: string;
  refreshToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  user: { id: string; email: string };
  organisation: { id: string; name: string; role: Role };
}

/** A session whose refresh token is stored, waiting for its access token. */
export interface OpenedSession {
  member: Member;
  sessionId: string;
  refreshToken: string;
}

const log = logger("auth");

/**
 * @throws APIError invalid_credentials, equally slow for an unknown e-mail and a wrong password; rate_limited
 * after too many attempts on one e-mail, whether or not it is registered.
 */
export async function signIn(input: { email: string; password: string }, now: Date): Promise<SignedIn> {
  const email = normaliseEmail(input.email);
  const account = email === undefined ? undefined : await findAccount(email);
  const fits = await checkPassword(input.password, account?.passwordHash);
  if (!fits || account === undefined || email === undefined) throw errors.invalid_credentials();
  await limits.forget("auth", "account", limitKey(email));
  const member: Member = {
    accountId: account.id,
    email: account.email,
    tenantId: account.tenantId,
    organisation: account.organisation,
    role: account.role,
  };
  const opened = await withTenant({ tenantId: tenantIdFrom(member.tenantId) }, (tx) => openSession(tx, member, now));
  return completeSignIn(opened, now);
}

async function findAccount(email: string): ReturnType<typeof accountFindByEmail> {
  await limits.consume("auth", "account", limitKey(email));
  return accountFindByEmail(email);
}

/** The limiter's store never holds an e-mail. */
function limitKey(email: string): string {
  return createHash("sha256").update(email).digest("base64url");
}

/** A new family of refresh tokens with its first one. */
export async function openSession(tx: Tx, member: Member, now: Date): Promise<OpenedSession> {
  const sessionId = newId();
  const { token, hash } = createRefreshToken();
  const { tenantId, accountId } = member;
  await sessionInsert(tx, {
    id: sessionId,
    tenantId,
    accountId,
    createdAt: now,
    expiresAt: new Date(now.getTime() + cfg.auth.refreshTokenSeconds * 1000),
  });
  await refreshTokenInsert(tx, { hash, tenantId, sessionId, issuedAt: now });
  return { member, sessionId, refreshToken: token };
}

/** Adds the access token. After the commit: signing may need the database itself. */
export async function completeSignIn({ member, sessionId, refreshToken }: OpenedSession, now: Date): Promise<SignedIn> {
  const accessToken = await issueAccessToken(
    { userID: member.accountId, tenantId: member.tenantId, role: member.role, sessionId },
    now,
  );
  return {
    accessToken,
    refreshToken,
    expiresIn: cfg.auth.accessTokenSeconds,
    user: { id: member.accountId, email: member.email },
    organisation: { id: member.tenantId, name: member.organisation, role: member.role },
  };
}

/**
 * Exchanges a refresh token for new ones. Of several requests with one token exactly one succeeds; the others get
 * refresh_superseded, and once the grace is over the token's whole family ends.
 * @throws APIError refresh_token_invalid, refresh_superseded
 */
export async function refreshSession(refreshToken: string, now: Date): Promise<SignedIn> {
  const hash = hashRefreshToken(refreshToken);
  const outcome = await withSystem("refresh-before-tenant-known", (tx) => exchange(tx, hash, now));
  switch (outcome.verdict) {
    case "rotate":
      return completeSignIn(outcome.opened, now);
    case "crossed":
      throw errors.refresh_superseded();
    case "reused":
      log.warn(
        { tenantId: outcome.tenantId, sessionId: outcome.sessionId },
        "a used refresh token came back: its session was ended",
      );
      throw errors.refresh_token_invalid({ internal: "reuse" });
    case "ended":
      throw errors.refresh_token_invalid();
  }
}

type Exchange =
  | { verdict: "rotate"; opened: OpenedSession }
  | { verdict: "reused"; tenantId: string; sessionId: string }
  | { verdict: "ended" | "crossed" };

/** Writes and tells, never throws for a refusal: the end of a stolen session must be committed. */
async function exchange(tx: Tx, hash: Buffer, now: Date): Promise<Exchange> {
  const presented = await refreshTokenFindForUpdate(tx, hash);
  if (presented === undefined) return { verdict: "ended" };
  const { tenantId, sessionId } = presented;
  const verdict = judgeRefresh(presented, now);
  switch (verdict) {
    case "reused":
      await sessionRevoke(tx, { tenantId, id: sessionId, reason: "token_reuse", at: now });
      return { verdict, tenantId, sessionId };
    case "rotate": {
      const next = createRefreshToken();
      await refreshTokenMarkUsed(tx, { hash, tenantId, at: now });
      await refreshTokenInsert(tx, { hash: next.hash, tenantId, sessionId, issuedAt: now });
      const { accountId, email, organisation, role } = presented;
      return {
        verdict,
        opened: { member: { accountId, email, tenantId, organisation, role }, sessionId, refreshToken: next.token },
      };
    }
    case "ended":
    case "crossed":
      return { verdict };
  }
}

/** Ends the caller's session: its refresh tokens stop at once, its access tokens when they expire. */
export async function signOut(principal: Principal, now: Date): Promise<void> {
  await withTenant(principal, (tx) =>
    sessionRevoke(tx, { tenantId: principal.tenantId, id: principal.sessionId, reason: "logout", at: now }),
  );
}
