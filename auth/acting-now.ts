// Whoever changes who may act in an organisation, or how it is signed in to, must be somebody now. An access token says what was so up
// to two seconds ago, and a request that waits for a lock, a provider or a name server may have waited for the very change that put
// its caller out: whom it invites, and what it sets up, would let them in again.
import { declareActing } from "../db/acting";
import type { Tx } from "../db/tenant";
import type { Permission } from "../security/permissions";
import type { Principal } from "../security/principal";
import { assertHolds, heldNow } from "./authority";
import { refusalOf } from "./entrance";
import { errors } from "./errors";
import { refusalToRead } from "./reading-now";
import { assertSessionLives } from "./session-end";
import { accountLock } from "./store/accounts";
import { membershipLock } from "./store/memberships";
import { sessionFindIn } from "./store/sessions";

/** Whether the organisation is still open to the session: its provider, or what that speaks for, may be another by now. */
async function assertStillIn(tx: Tx, { tenantId, subjectId: accountId, sessionId = "" }: Principal): Promise<void> {
  const placed = await sessionFindIn(tx, { tenantId, accountId, id: sessionId });
  if (placed !== undefined && refusalOf(placed, placed) !== undefined)
    throw errors.invalid_token({ internal: "the session's place in the organisation has ended" });
}

/**
 * Locks the caller's account, those of `others`, and the organisation, in the order that all have; from then on what it looks at stays.
 * Resolves with what the caller holds now.
 * In a transaction of the system's, because no tenant reads sessions.
 * @throws APIError invalid_token when the session is over, or may not be in the organisation any more; permission_denied when the caller
 *   holds `permission` no more.
 */
export async function lockActing(
  tx: Tx,
  principal: Principal,
  permission: Permission,
  others: readonly string[] = [],
): Promise<ReadonlySet<Permission>> {
  // By their ids: two who remove each other would wait for each other.
  const accounts = new Set([principal.subjectId, ...others]);
  for (const id of [...accounts].sort()) await accountLock(tx, id);
  await assertSessionLives(tx, principal);
  await membershipLock(tx, principal.tenantId);
  await assertStillIn(tx, principal);
  const held = await heldNow(tx, principal);
  assertHolds(held, [permission]);
  return held;
}

declareActing({ lock: lockActing, refusalToRead });
