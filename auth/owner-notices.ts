// What an organisation's owners are told by mail, because it changes who gets in: each of them a mail of their own, asked for in
// the transaction that does it. A job of the organisation: who is no member any more when it runs gets none.
import type { Tx } from "../db/tenant";
import { tenantIdFrom } from "../security/principal";
import { requestMail } from "./jobs";
import type { OwnerNotice } from "./mail-texts";
import { membershipListOwners } from "./store/memberships";

/** Owners beyond them read it in the log. */
const TOLD_MAX = 50;

/** `about` is the domain, or the issuer of the provider. */
export async function tellOwners(tx: Tx, tenant: string, notice: OwnerNotice, about: string): Promise<void> {
  const tenantId = tenantIdFrom(tenant);
  for (const accountId of await membershipListOwners(tx, tenantId, TOLD_MAX))
    await requestMail(tx, { kind: "owner-notice", notice, about, accountId }, tenantId);
}
