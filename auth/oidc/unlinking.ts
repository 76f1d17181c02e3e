// What the end of a link to an account elsewhere leaves behind, and the end of all that came since.
import { defineAction } from "../../audit/action";
import type { Tx } from "../../db/tenant";
import { identityUnlinked } from "../../events/catalog/auth";
import type { Whose } from "../account-log";
import { tell } from "../factors/notices";
import { identityDeleteSince } from "../store/identities";

const unlinked = defineAction("auth.identity.unlinked", { identityId: "plain", provider: "plain" });

export interface UnlinkedIdentity {
  id: string;
  provider: string;
}

/** `mail`: null where who asks is told at once. */
export function tellUnlinked(
  tx: Tx,
  whose: Whose,
  { id: identityId, provider }: UnlinkedIdentity,
  mail: "identity-unlinked" | null,
): Promise<void> {
  return tell(tx, whose, { event: identityUnlinked, mail, action: unlinked, facts: { identityId, provider } });
}

/** Unlinks what was linked since, by whomever. The caller holds the account's lock, and tells of it to who asks. */
export async function unlinkSince(tx: Tx, accountId: string, since: Date): Promise<UnlinkedIdentity[]> {
  const gone = await identityDeleteSince(tx, accountId, since);
  for (const identity of gone) await tellUnlinked(tx, { accountId, tenantId: null }, identity, null);
  return gone;
}
