// A session whose person has just shown again who they are.
import { cfg } from "../../config";
import type { Tx } from "../../db/tenant";
import type { Caller } from "../../security/principal";
import { errors } from "../errors";
import type { accessTokenOf, Member } from "../sessions";
import { membershipFind } from "../store/memberships";
import { sessionSetAuthenticated } from "../store/sessions";

/** What the access token of a fresh session says. */
export type Shown = Parameters<typeof accessTokenOf>[0];

/** Makes the caller's session fresh, and no other. @throws APIError invalid_token when it is over. */
export async function setFresh(tx: Tx, caller: Caller, email: string, amr: readonly string[]): Promise<Shown> {
  const { subjectId: accountId, sessionId, tenantId } = caller;
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const { idleSeconds } = cfg.auth;
  const session = await sessionSetAuthenticated(tx, { id: sessionId, accountId, amr, idleSeconds });
  if (session === undefined) throw errors.invalid_token({ internal: "the session is over" });
  const organisation = tenantId === null ? undefined : await membershipFind(tx, { tenantId, accountId });
  const member: Member = { accountId, email, organisation: organisation ?? null };
  return { member, sessionId, authentication: { amr: session.amr, at: session.authenticatedAt } };
}
