// A session whose person has just shown again who they are.
import { cfg } from "../../config";
import type { Tx } from "../../db/tenant";
import type { Caller } from "../../security/principal";
import { organisationOf } from "../entrance";
import { errors } from "../errors";
import type { accessTokenOf, Member } from "../sessions";
import { identityProviderSpeaking } from "../store/identity-providers";
import { membershipFind } from "../store/memberships";
import { sessionSetAuthenticated } from "../store/sessions";

/** What the access token of a fresh session says. */
export type Shown = Parameters<typeof accessTokenOf>[0];

/**
 * Makes the caller's session fresh, and no other; `vouchId` is of an organisation's provider that was asked.
 * @throws APIError invalid_token when it is over.
 */
export async function setFresh(
  tx: Tx,
  caller: Caller,
  email: string,
  shown: readonly string[],
  vouchId: string | null = null,
): Promise<Shown> {
  const { subjectId: accountId, sessionId } = caller;
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const { idleSeconds } = cfg.auth;
  const about = { id: sessionId, accountId, amr: shown, vouchId, idleSeconds };
  const session = await sessionSetAuthenticated(tx, about);
  if (session === undefined) throw errors.invalid_token({ internal: "the session is over" });
  // The session's, not the token's: what was shown just now may open it.
  const { amr, vouchedBy, tenantId, authenticatedAt: at } = session;
  const chosen = tenantId === null ? undefined : await membershipFind(tx, { tenantId, accountId });
  const speaker = chosen && (await identityProviderSpeaking(tx, { tenantId: chosen.id, email, vouchedBy }));
  const organisation = organisationOf({ organisation: chosen ?? null, amr, speaker: speaker ?? null });
  const member: Member = { accountId, email, organisation };
  return { member, sessionId, authentication: { amr, at } };
}
