// What a person does with their own account: who they are, their sign-ins, their password.
import { defineAction } from "../audit/action";
import { cfg } from "../config";
import { withSystem } from "../db/tenant";
import { passwordChanged } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import type { MemberRole } from "../security/permissions";
import { isPrincipal, type Caller, type Principal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { recordOfAccount, whose } from "./account-log";
import { errors } from "./errors";
import { countOwnAttempt } from "./attempts";
import { requestMail } from "./jobs";
import { screenPassword, wordsAbout } from "./password-screen";
import { checkPassword, hashPassword } from "./passwords";
import { assertSessionLives, endSessions, lockLiving } from "./session-end";
import { accountFind, accountSetPassword, organisationFind } from "./store/accounts";
import { oneTimeTokenDeleteOfAccount } from "./store/one-time-tokens";
import { membershipListOfAccount } from "./store/memberships";
import { operatorFindEmail } from "./store/operators";
import { organisationListClosing, type ClosingOrganisationRow } from "./store/organisations";
import { sessionListSignIns, type SignInRow } from "./store/sessions";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";

export interface OrganisationOfCaller {
  id: string;
  name: string;
  role: MemberRole;
}

export async function listOrganisations(caller: Caller): Promise<OrganisationOfCaller[]> {
  const rows = await membershipListOfAccount(caller.subjectId, ORGANISATIONS_PER_ACCOUNT_MAX);
  return rows.map(({ id, name, role }) => ({ id, name, role }));
}

/** Those that the account owns and that are being deleted. */
export function listClosing(caller: Caller): Promise<ClosingOrganisationRow[]> {
  return organisationListClosing(caller.subjectId, ORGANISATIONS_PER_ACCOUNT_MAX);
}

export interface WhoAmI {
  kind: Caller["kind"];
  user?: { id: string; email: string; emailVerified: boolean };
  operator?: { id: string; email: string };
  organisation: { id: string; name: string } | null;
  role?: MemberRole;
  permissions: string[];
  organisations: OrganisationOfCaller[];
}

/** @throws APIError invalid_token when the account is gone. */
export async function whoAmI(caller: Caller): Promise<WhoAmI> {
  if (isPrincipal(caller) && caller.kind !== "user") return whoAmIWithoutAccount(caller);
  if (caller.kind === "operator") {
    const email = await operatorFindEmail(caller.subjectId);
    const permissions = [...caller.permissions];
    return {
      kind: caller.kind,
      operator: { id: caller.subjectId, email },
      organisation: null,
      permissions,
      organisations: [],
    };
  }
  const account = await accountFind(caller.subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const organisations = await listOrganisations(caller);
  const chosen = organisations.find(({ id }) => id === caller.tenantId);
  return {
    kind: caller.kind,
    user: { id: caller.subjectId, email: account.email, emailVerified: account.isVerified },
    organisation: chosen === undefined ? null : { id: chosen.id, name: chosen.name },
    ...(chosen === undefined ? {} : { role: chosen.role }),
    permissions: [...caller.permissions],
    organisations,
  };
}

/** A key has an organisation, and belongs to none. */
async function whoAmIWithoutAccount(principal: Principal): Promise<WhoAmI> {
  const organisation = (await organisationFind(principal)) ?? null;
  return { kind: principal.kind, organisation, permissions: [...principal.permissions], organisations: [] };
}

/** The caller's live sign-ins, the last used first. */
export function listSignIns(caller: Caller): Promise<SignInRow[]> {
  return sessionListSignIns(caller.subjectId, caller.sessionId ?? null, cfg.auth.idleSeconds);
}

const endedOne = defineAction("auth.session.ended", { signInId: "plain" });
const endedElsewhere = defineAction("auth.session.ended_elsewhere", { sessions: "plain" });

/** Ends one of the caller's own sign-ins: whoever took a session over may do so to keep its owner out. @throws APIError session_not_found, also for somebody else's; invalid_token when the caller's own is over. */
export async function endSignIn(caller: Caller, id: string): Promise<void> {
  const own = { accountId: caller.subjectId, which: "sign-in", signInOf: id, reason: "logout" } as const;
  const ended = await withSystem("end-own-session", async (tx) => {
    await lockLiving(tx, caller);
    const sessions = await endSessions(tx, own);
    const isAnother = sessions.length > 0 && !sessions.includes(caller.sessionId ?? "");
    if (isAnother) await recordOfAccount(tx, whose(caller), endedOne, { signInId: id });
    return sessions;
  });
  if (ended.length === 0) throw errors.session_not_found();
}

/**
 * Ends every sign-in of the caller's account but the one that asks; one that begins at this moment is ended, or begins behind it.
 * The account's owner is told by mail: to end one device is housekeeping, to end all the others is how a thief stays alone.
 * @throws APIError invalid_token when the caller's own is over: of two that end one another at once, the first stays.
 */
export async function endOtherSignIns(caller: Caller): Promise<void> {
  const { subjectId: accountId, sessionId } = caller;
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const others = { accountId, which: "others", signInOf: sessionId, reason: "logout" } as const;
  await withSystem("end-own-session", async (tx) => {
    await lockLiving(tx, caller);
    const sessions = (await endSessions(tx, others)).length;
    if (sessions === 0) return;
    tx.afterCommit(() => logger("auth").info({ accountId, sessionId, sessions }, "signed out everywhere else"));
    await requestMail(tx, { kind: "signed-out-elsewhere", accountId });
    await recordOfAccount(tx, whose(caller), endedElsewhere, { sessions });
  });
}

const changedPassword = defineAction("auth.password.changed", {});

/**
 * Sets another password and ends every other sign-in of the account, and mailed links: whoever knew the old one is out.
 * @throws APIError invalid_credentials, weak_password, rate_limited; invalid_token when the caller's session is over.
 */
export async function changePassword(
  caller: Caller,
  input: { current: string; password: string },
  address: string,
): Promise<void> {
  const accountId = caller.subjectId;
  const account = await accountFind(accountId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const attempt = await countOwnAttempt("password", accountId, address);
  const { passwordHash: checkedHash } = account;
  if (!(await checkPassword(input.current, checkedHash)) || checkedHash === null) throw errors.invalid_credentials();
  await attempt.forget();
  await screenPassword(input.password, await wordsAbout(accountId, account.email));
  const passwordHash = await hashPassword(input.password);
  await withSystem("change-password", async (tx) => {
    const isChanged = await accountSetPassword(tx, { id: accountId, checkedHash, passwordHash });
    if (!isChanged) throw errors.invalid_credentials({ internal: "changed at the same time" });
    await assertSessionLives(tx, caller);
    const signInOf = caller.sessionId ?? null;
    await endSessions(tx, { accountId, which: "others", signInOf, reason: "password_change" });
    await oneTimeTokenDeleteOfAccount(tx, accountId);
    await requestMail(tx, { kind: "password-changed", accountId });
    const about = { aggregateType: "user", aggregateId: accountId, tenantId: null };
    await emit(tx, passwordChanged, { userId: accountId }, about);
    await recordOfAccount(tx, whose(caller), changedPassword, {});
  });
}
