// An account whose address nobody had verified goes to who shows to read its mails: by a mailed link, or by the word of a
// provider. Whoever registered the address before them may have been a stranger who waits for that (Sudhodanan and Paverd,
// Pre-hijacked Accounts, USENIX Security 2022), so the owner starts without anything by which they could come back, and
// without the organisations that they made: machines of those hold keys of their own, and other members are theirs. What goes
// on without the account it leaves. The others close, as when their owner deletes them, also those with other members; within
// the grace the owner can restore one (POST /auth/organisations/:id/restore), which they may have made themselves before they
// read the mail that verifies. They get it back without its machines and invitations, which nobody sees by looking around.
import type { Tx } from "../db/tenant";
import { forgetCredentials } from "./credentials";
import { revokeInvitations } from "./invitations";
import { closeOrganisation, endMembership } from "./organisation-life";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";
import { forgetServicePrincipals } from "./service-principals";
import { membershipsHeld, type HeldMembershipRow } from "./store/account-life";
import type { EndReason } from "./store/sessions";

/**
 * The caller holds the account's lock, and sets what its owner signs in by. The organisation `vouching` for the owner stays as it
 * is: who set its provider up has shown that the domain of the address is theirs.
 */
export async function handOver(tx: Tx, accountId: string, reason: EndReason, vouching?: string): Promise<void> {
  // Locks the organisations, before what is forgotten writes to their logs.
  const held = await membershipsHeld(tx, accountId, ORGANISATIONS_PER_ACCOUNT_MAX);
  await forgetCredentials(tx, accountId, reason);
  for (const membership of held) if (membership.tenantId !== vouching) await leave(tx, accountId, membership);
}

async function leave(tx: Tx, accountId: string, membership: HeldMembershipRow): Promise<void> {
  const { tenantId, role, isClosing, hasOtherOwner } = membership;
  if (role !== "owner" || hasOtherOwner) return endMembership(tx, { ...membership, accountId });
  await forgetServicePrincipals(tx, tenantId);
  await revokeInvitations(tx, tenantId);
  if (!isClosing) await closeOrganisation(tx, tenantId);
}
