// Signing in, staying signed in, signing out. Rules take the time (for access tokens; sessions live by the database's
// clock) and the caller's address; the edge passes them. Passwords are hashed and tokens signed outside the
// transactions, which hold a connection. Whoever failed too often is refused before any of that.
import { defineAction } from "../audit/action";
import { cfg } from "../config";
import { tenantIdFrom, type Caller } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import type { MemberRole } from "../security/permissions";
import { limits } from "../security/limits";
import { logger } from "../telemetry/logger";
import { sessionsCompromisedTotal } from "../telemetry/metrics";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { sessionCompromised } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { spellEmail } from "../mail/email";
import type { Authentication, TokenIdentity } from "./access-token";
import { recordOfAccount } from "./account-log";
import { countAttemptHere, noteTry } from "./attempts";
import { organisationFor, organisationOf } from "./entrance";
import { errors } from "./errors";
import type { Vouch } from "./factors/challenge";
import { BY_PASSWORD } from "./factors/methods";
import { requireSecondFactor } from "./factors/requirement";
import { requestMail } from "./jobs";
import { isKnownPlace, placeOf } from "./known-places";
import { checkPassword, hashPassword, needsRehash } from "./passwords";
import { familyOf, isOurs } from "./refresh-family";
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
import { endSessions, endSurplus, lockLiving } from "./session-end";
import { accountIsClosing } from "./store/account-life";
import {
  accountFind,
  accountFindByEmail,
  accountLock,
  accountNotePlace,
  accountSetPassword,
  accountShare,
  type OrganisationRow,
} from "./store/accounts";
import { membershipHold } from "./store/memberships";
import { sessionFindForUpdate, sessionInsert, sessionRotate, type PresentedSessionRow } from "./store/sessions";
import { issueAccessToken } from "./tokens";

/** Whom a session is for. */
export interface Member {
  accountId: string;
  email: string;
  /** The one that is chosen; null for none. */
  organisation: OrganisationRow | null;
  /** Of an organisation's provider, at this sign-in. */
  vouch?: Vouch | undefined;
}

/** What every way of signing in answers. */
export interface SignedIn {
  accessToken: string;
  refreshToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  user: { id: string; email: string };
  /** Null for an account that belongs to none: it can make one, or be invited. */
  organisation: { id: string; name: string; role: MemberRole } | null;
}

/** A session whose refresh token is stored, waiting for its access token. */
export interface OpenedSession {
  member: Member;
  sessionId: string;
  refreshToken: string;
  authentication: Authentication;
}

const log = logger("auth");

/** Sessions of one account; a sign-in beyond them ends the one that was used least lately, and none at work while there is another. */
export const SESSIONS_PER_ACCOUNT_MAX = 100;

/**
 * `address` is what limits count the caller by.
 * @throws APIError invalid_credentials, equally slow for an unknown e-mail and a wrong password; second_factor_required
 * with a challenge, for an account that has one (factors/second-factor.ts goes on); rate_limited after too many failures of the address, or attempts on one e-mail, whether or not it is registered.
 */
export async function signIn(
  input: { email: string; password: string },
  now: Date,
  address: string,
  device: string | null = null,
): Promise<SignedIn> {
  limits.assertFewFailures("signIn", address);
  const email = spellEmail(input.email);
  const attempt = email === undefined ? undefined : await countAttemptHere(email, address);
  const account = email === undefined ? undefined : await accountFindByEmail(email);
  const isKnown = isKnownPlace(account, address);
  if (!isKnown) await attempt?.countForAll();
  const attemptHere = noteTry(address, "signing in", isKnown);
  const fits = await checkPassword(input.password, account?.passwordHash, attemptHere.rank);
  const checkedHash = account?.passwordHash;
  if (!fits || account === undefined || typeof checkedHash !== "string") {
    limits.countFailure("signIn", address);
    throw errors.invalid_credentials();
  }
  attemptHere.succeeded();
  await attempt?.forget();
  // What a second factor goes on with belongs to the hash that is stored from now on.
  const passwordHash = await renewedHash({ id: account.id, checkedHash }, input.password);
  await requireSecondFactor({ id: account.id, passwordHash }, BY_PASSWORD, now);
  const member: Member = { accountId: account.id, email: account.email, organisation: account.organisation };
  const place = placeOf(account.id, address);
  const opened = await withSystem("sign-in", (tx) => {
    if (place !== undefined) accountNotePlace(tx, account.id, place);
    return openSession(tx, member, device, BY_PASSWORD, passwordHash);
  });
  return completeNewSignIn(opened, now);
}

/** The account's hash, which has today's parameters afterwards. @throws APIError invalid_credentials when another password was set meanwhile. */
async function renewedHash(
  { id, checkedHash }: { id: string; checkedHash: string },
  password: string,
): Promise<string> {
  if (!needsRehash(checkedHash)) return checkedHash;
  const passwordHash = await hashPassword(password);
  const renewed = { id, checkedHash, passwordHash };
  if (await withSystem("rehash-password", (tx) => accountSetPassword(tx, renewed))) return passwordHash;
  // Another sign-in was first with the same password, or somebody set another one.
  const present = (await accountFind(id))?.passwordHash;
  if (!(await checkPassword(password, present)) || typeof present !== "string") throw errors.invalid_credentials();
  return present;
}

/**
 * A new session with its first refresh token. `amr` says how its person showed who they are, `checkedHash` what their
 * password was checked against. @throws APIError provider_required; account_closing; invalid_credentials when the password is
 * another by now, or a second factor was added that was not asked for.
 */
export async function openSession(
  tx: Tx,
  member: Member,
  device: string | null,
  amr: readonly string[],
  checkedHash?: string,
): Promise<OpenedSession> {
  const sessionId = newId();
  const token = createRefreshToken(sessionId, familyOf(sessionId));
  const { accountId } = member;
  // Behind whatever changes the account, or who may be in the organisation, at this moment; in this order, as everywhere.
  await accountShare(tx, accountId);
  if (member.organisation !== null) await membershipHold(tx, member.organisation.id);
  const organisation = await organisationFor(tx, { ...member, amr });
  const at = await sessionInsert(tx, {
    id: sessionId,
    accountId,
    tenantId: organisation?.id ?? null,
    device,
    lifetimeSeconds: cfg.auth.refreshTokenSeconds,
    familyHash: hashSecret(token.family),
    secretHash: hashSecret(token.secret),
    amr,
    vouchId: member.vouch?.vouchId ?? null,
    checkedHash,
  });
  if (at === undefined) throw await refusalOf(tx, accountId);
  await endSurplus(tx, { accountId, of: "account", made: sessionId, keep: SESSIONS_PER_ACCOUNT_MAX });
  const refreshToken = formatRefreshToken(token);
  return { member: { ...member, organisation }, sessionId, refreshToken, authentication: { amr, at } };
}

async function refusalOf(tx: Tx, accountId: string): Promise<Error> {
  return (await accountIsClosing(tx, accountId))
    ? errors.account_closing()
    : errors.invalid_credentials({
        internal: "the password or the factors changed, or the account went, at the same time",
      });
}

/** Of a sign-in that is new, however its person showed who they are: after the commit, it leaves a line (ASVS 5.0 16.3.1). */
export function completeNewSignIn(opened: OpenedSession, now: Date): Promise<SignedIn> {
  const { member, sessionId, authentication } = opened;
  log.info({ accountId: member.accountId, sessionId, amr: authentication.amr }, "signed in");
  return completeSignIn(opened, now);
}

/** Adds the access token. After the commit: signing may need the database itself. */
export async function completeSignIn(opened: OpenedSession, now: Date): Promise<SignedIn> {
  const { accountId, email, organisation } = opened.member;
  return {
    accessToken: await accessTokenOf(opened, now),
    refreshToken: opened.refreshToken,
    expiresIn: cfg.auth.accessTokenSeconds,
    user: { id: accountId, email },
    organisation: organisation && { id: organisation.id, name: organisation.name, role: organisation.role },
  };
}

/** An access token of the session, in the organisation that was chosen. */
export function accessTokenOf(session: Omit<OpenedSession, "refreshToken">, now: Date): Promise<string> {
  const { member, sessionId, authentication } = session;
  const { accountId, organisation } = member;
  const chosen = organisation === null ? {} : { tenantId: organisation.id, ...grantOf(organisation) };
  const about = { revision: organisation?.revision, roleId: organisation?.roleId ?? undefined, authentication };
  return issueAccessToken({ userID: accountId, sessionId, ...chosen }, now, about);
}

/** What fills the permissions: a built-in role by its name, one that the organisation made by what it holds. */
function grantOf({ role, rolePermissions }: OrganisationRow): Pick<TokenIdentity, "role" | "scope"> {
  return role === "custom" ? { scope: (rolePermissions ?? []).join(" ") } : { role };
}

/**
 * Exchanges a refresh token for new ones. Several requests with one token, at once or after a lost answer, get the same
 * new one; once the grace is over, using it again ends the session. `keepsYoung`: see judgeRefresh.
 * @throws APIError refresh_token_invalid, refresh_superseded; rate_limited after too many invented tokens of the address.
 */
export async function refreshSession(
  refreshToken: string,
  now: Date,
  address: string,
  keepsYoung = false,
): Promise<SignedIn> {
  const token = parseRefreshToken(refreshToken);
  // A token that we made is looked up whatever its neighbours behind the same address invent.
  if (token === undefined || !isOurs(token)) limits.assertFewFailures("refresh", address);
  const outcome = token === undefined ? ({ kind: "unknown" } as const) : await exchangeOrEnd(token, keepsYoung);
  switch (outcome.kind) {
    case "signed-in":
      return completeSignIn(outcome.opened, now);
    case "superseded":
      throw errors.refresh_superseded();
    case "replayed":
      log.warn(
        { userId: outcome.accountId, sessionId: token?.sessionId },
        "a used refresh token came back: its sign-in was ended",
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
  | { kind: "replayed"; accountId: string }
  | { kind: "unknown" | "ended" | "superseded" };

/** A replay ends the sign-in in another transaction, which locks the account before it looks at the session again. */
async function exchangeOrEnd(token: RefreshToken, keepsYoung: boolean): Promise<Exchange> {
  const look = (endsFor?: string): Promise<Exchange> =>
    withSystem("refresh-before-tenant-known", (tx) => exchange(tx, token, keepsYoung, endsFor));
  const outcome = await look();
  return outcome.kind === "replayed" ? look(outcome.accountId) : outcome;
}

/** Never throws for a refusal: the end of a stolen session must be committed. `endsFor`: the account whose replayed sign-in it ends. */
async function exchange(tx: Tx, token: RefreshToken, keepsYoung: boolean, endsFor?: string): Promise<Exchange> {
  const id = token.sessionId;
  const { idleSeconds } = cfg.auth;
  if (endsFor !== undefined) await accountLock(tx, endsFor);
  const session = await sessionFindForUpdate(tx, { id, familyHash: hashSecret(token.family), idleSeconds });
  if (session === undefined) return { kind: "unknown" };
  const { accountId, email, amr, authenticatedAt } = session;
  const organisation = organisationOf(session);
  const opened = (next: RefreshToken): Exchange => ({
    kind: "signed-in",
    opened: {
      member: { accountId, email, organisation },
      sessionId: id,
      refreshToken: formatRefreshToken(next),
      authentication: { amr, at: authenticatedAt },
    },
  });
  const verdict = judgeRefresh(session, token, keepsYoung);
  switch (verdict.kind) {
    case "rotate": {
      const successorSalt = createSalt();
      const next = successorOf(token, successorSalt);
      await sessionRotate(tx, { id, secretHash: hashSecret(next.secret), successorSalt });
      return opened(next);
    }
    case "keep":
      return opened(token);
    case "repeat":
      return opened(verdict.successor);
    case "replayed":
      if (accountId === endsFor) await endCompromised(tx, session, id);
      return { kind: "replayed", accountId };
    case "ended":
    case "superseded":
      return { kind: verdict.kind };
  }
}

const compromised = defineAction("auth.session.compromised", { sessionId: "plain" });

/**
 * One of two who use the token is a thief: all that came of the sign-in ends, and its owner, whoever watches and the organisation
 * are told: the installation where the session has none, or one that its owner is no member of any more.
 */
async function endCompromised(tx: Tx, session: PresentedSessionRow, sessionId: string): Promise<void> {
  const { accountId, organisation } = session;
  await endSessions(tx, { accountId, which: "sign-in", signInOf: sessionId, reason: "token_reuse" });
  tx.afterCommit(() => sessionsCompromisedTotal.add(1));
  await onBehalfOf("system:auth.refresh", async () => {
    const of = organisation === null ? null : tenantIdFrom(organisation.id);
    const about = { aggregateType: "user", aggregateId: accountId, tenantId: of };
    await emit(tx, sessionCompromised, { userId: accountId, sessionId, organisationId: of }, about);
    await requestMail(tx, { kind: "session-compromised", accountId });
    // An organisation learns nothing of who has left.
    await recordOfAccount(tx, { accountId, tenantId: of }, compromised, { sessionId });
  });
}

/**
 * Ends the caller's sign-in, or all of theirs: refresh tokens stop at once, access tokens within two seconds. One that has ended is
 * signed out already, and signs nobody else out. @throws APIError invalid_token, where all are to end and the caller's is over.
 */
export async function signOut(caller: Caller, everywhere = false): Promise<void> {
  const { subjectId, sessionId } = caller;
  if (sessionId === undefined) return;
  const which = everywhere ? "all" : "sign-in";
  const own = { accountId: subjectId, which, signInOf: sessionId, reason: "logout" } as const;
  await withSystem("sign-out", async (tx) => {
    if (everywhere) await lockLiving(tx, caller);
    await endSessions(tx, own);
  });
}
