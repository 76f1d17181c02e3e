// Ending sessions, and the one way to do it: under the account's lock, so that a switch, a sign-in or another change under way is
// over before. What it made is seen and ended too; what waits behind this finds its session over. Without the lock a switch
// could leave a session behind that nobody sees (auth/__tests__/session-endings.pg.test.ts).
import { cfg } from "../config";
import type { Tx } from "../db/tenant";
import type { Caller } from "../security/principal";
import { errors } from "./errors";
import { revokeSessions } from "./revocations";
import { accountLock } from "./store/accounts";
import { sessionDeleteSurplus, sessionEnd, sessionIsLive } from "./store/sessions";

/**
 * Ends sessions of an account: refresh tokens at once, access tokens within two seconds. Resolves with the ids of those that were
 * live; of the others access tokens may be good still, and are refused too.
 * Whoever holds an organisation's lock, or a session's row, has taken the account's before.
 */
export async function endSessions(
  tx: Tx,
  ending: Omit<Parameters<typeof sessionEnd>[1], "idleSeconds">,
): Promise<string[]> {
  await accountLock(tx, ending.accountId);
  const ended = await sessionEnd(tx, { ...ending, idleSeconds: cfg.auth.idleSeconds });
  await revokeSessions(
    tx,
    ended.map(({ id }) => id),
  );
  return ended.filter(({ wasLive }) => wasLive).map(({ id }) => id);
}

/** After `made` was: ends what an account, or one sign-in, has beyond `keep` (store/sessions.ts says which), access tokens too. */
export async function endSurplus(
  tx: Tx,
  surplus: Omit<Parameters<typeof sessionDeleteSurplus>[1], "workingSeconds">,
): Promise<void> {
  // Whoever works refreshes once in the life of an access token, but for a request that came late.
  const workingSeconds = 2 * cfg.auth.accessTokenSeconds;
  await revokeSessions(tx, await sessionDeleteSurplus(tx, { ...surplus, workingSeconds }));
}

/**
 * For whatever a person does with their own account and organisations: the account's lock, and whether the caller's session lives
 * still. @throws APIError invalid_token.
 */
export async function lockLiving(tx: Tx, caller: Caller): Promise<void> {
  if (!(await accountLock(tx, caller.subjectId)))
    throw errors.invalid_token({ internal: "the account is being deleted" });
  await assertSessionLives(tx, caller);
}

/**
 * For whatever changes how an account is signed in to, or lets it go. A token says what was so a second ago, and a request that
 * waited for the account's lock may have waited for the very change that put its caller out: what it added would stay.
 * The caller holds accountLock. @throws APIError invalid_token.
 */
export async function assertSessionLives(tx: Tx, { subjectId: accountId, sessionId: id }: Caller): Promise<void> {
  const isLive = id !== undefined && (await sessionIsLive(tx, { id, accountId, idleSeconds: cfg.auth.idleSeconds }));
  if (!isLive) throw errors.invalid_token({ internal: "the session is over" });
}
