// Signing in, staying signed in, signing out. Rules take the time (for access tokens; sessions live by the database's
// clock) and the caller's address; the edge passes them. Passwords are hashed and tokens signed outside the
// transactions, which hold a connection. Whoever failed too often is refused before any of that.
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
import {
  createRefreshToken,
  createSalt,
  formatRefreshToken,
  hashSecret,
  judgeRefresh,
  parseRefreshToken,
  successorOf,
  type RefreshToken,
} from "./refresh-token";
import {
  accountFindByEmail,
  sessionDeleteSurplus,
  sessionFindForUpdate,
  sessionInsert,
  sessionRevoke,
  sessionRotate,
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

/** Live sessions of one account in one organisation; a sign-in beyond them ends the oldest. */
export const SESSIONS_PER_ACCOUNT_MAX = 100;

/**
 * `address` is what limits count the caller by.
 * @throws APIError invalid_credentials, equally slow for an unknown e-mail and a wrong password; rate_limited
 * after too many failures of the address, or attempts on one e-mail, whether or not it is registered.
 */
export async function signIn(
  input: { email: string; password: string },
  now: Date,
  address: string,
): Promise<SignedIn> {
  limits.assertFewFailures("signIn", address);
  const email = normaliseEmail(input.email);
  const attempt = email === undefined ? undefined : await beginAttempt(email, address);
  const account = email === undefined ? undefined : await accountFindByEmail(email);
  const fits = await checkPassword(input.password, account?.passwordHash);
  if (!fits || account === undefined) {
    limits.countFailure("signIn", address);
    throw errors.invalid_credentials();
  }
  await attempt?.forget();
  const member: Member = {
    accountId: account.id,
    email: account.email,
    tenantId: account.tenantId,
    organisation: account.organisation,
    role: account.role,
  };
  const opened = await withTenant({ tenantId: tenantIdFrom(member.tenantId) }, (tx) => openSession(tx, member));
  return completeSignIn(opened, now);
}

/** Counts an attempt on an account before it is made: of many at once not one more than the quota gets through. */
async function beginAttempt(email: string, address: string): Promise<{ forget: () => Promise<void> }> {
  const [account, pair] = [limitKey(email), limitKey(`${email}\n${address}`)];
  await limits.consume("auth", "accountAtIp", pair);
  await limits.consume("auth", "account", account);
  return {
    forget: async () => {
      await Promise.all([limits.forget("auth", "accountAtIp", pair), limits.forget("auth", "account", account)]);
    },
  };
}

/** The limiter's store never holds an e-mail. */
function limitKey(name: string): string {
  return createHash("sha256").update(name).digest("base64url");
}

/** A new session with its first refresh token. */
export async function openSession(tx: Tx, member: Member): Promise<OpenedSession> {
  const sessionId = newId();
  const token = createRefreshToken(sessionId);
  const { tenantId, accountId } = member;
  await sessionInsert(tx, {
    id: sessionId,
    tenantId,
    accountId,
    lifetimeSeconds: cfg.auth.refreshTokenSeconds,
    familyHash: hashSecret(token.family),
    secretHash: hashSecret(token.secret),
  });
  await sessionDeleteSurplus(tx, { tenantId, accountId, keep: SESSIONS_PER_ACCOUNT_MAX });
  return { member, sessionId, refreshToken: formatRefreshToken(token) };
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
 * Exchanges a refresh token for new ones. Several requests with one token, at once or after a lost answer, get the same
 * new one; once the grace is over, using it again ends the session.
 * @throws APIError refresh_token_invalid, refresh_superseded; rate_limited after too many invented tokens of the address.
 */
export async function refreshSession(refreshToken: string, now: Date, address: string): Promise<SignedIn> {
  limits.assertFewFailures("refresh", address);
  const token = parseRefreshToken(refreshToken);
  const outcome: Exchange =
    token === undefined
      ? { kind: "unknown" }
      : await withSystem("refresh-before-tenant-known", (tx) => exchange(tx, token));
  switch (outcome.kind) {
    case "signed-in":
      return completeSignIn(outcome.opened, now);
    case "superseded":
      throw errors.refresh_superseded();
    case "replayed":
      log.warn(
        { tenantId: outcome.tenantId, sessionId: outcome.sessionId },
        "a used refresh token came back: its session was ended",
      );
      throw errors.refresh_token_invalid({ internal: "replay" });
    case "unknown":
      limits.countFailure("refresh", address);
      throw errors.refresh_token_invalid({ internal: "unknown" });
    case "ended":
      throw errors.refresh_token_invalid({ internal: "ended" });
  }
}

type Exchange =
  | { kind: "signed-in"; opened: OpenedSession }
  | { kind: "replayed"; tenantId: string; sessionId: string }
  | { kind: "unknown" | "ended" | "superseded" };

/** Writes and tells, never throws for a refusal: the end of a stolen session must be committed. */
async function exchange(tx: Tx, token: RefreshToken): Promise<Exchange> {
  const id = token.sessionId;
  const session = await sessionFindForUpdate(tx, { id, familyHash: hashSecret(token.family) });
  if (session === undefined) return { kind: "unknown" };
  const { tenantId, accountId, email, organisation, role } = session;
  const opened = (next: RefreshToken): Exchange => ({
    kind: "signed-in",
    opened: {
      member: { accountId, email, tenantId, organisation, role },
      sessionId: id,
      refreshToken: formatRefreshToken(next),
    },
  });
  const verdict = judgeRefresh(session, token);
  switch (verdict.kind) {
    case "rotate": {
      const successorSalt = createSalt();
      const next = successorOf(token, successorSalt);
      await sessionRotate(tx, { tenantId, id, secretHash: hashSecret(next.secret), successorSalt });
      return opened(next);
    }
    case "repeat":
      return opened(verdict.successor);
    case "replayed":
      await sessionRevoke(tx, { tenantId, id, reason: "token_reuse" });
      return { kind: "replayed", tenantId, sessionId: id };
    case "ended":
    case "superseded":
      return { kind: verdict.kind };
  }
}

/** Ends the caller's session: its refresh tokens stop at once, its access tokens when they expire. */
export async function signOut(principal: Principal): Promise<void> {
  const { tenantId, sessionId } = principal;
  if (sessionId === undefined) return;
  await withTenant(principal, (tx) => sessionRevoke(tx, { tenantId, id: sessionId, reason: "logout" }));
}
