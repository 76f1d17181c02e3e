// What an organisation's owners are told by mail, because it changes who gets in, and what its admins are told too, because it wants
// mending: each of them a mail of their own, asked for in the transaction that does it. A job of the organisation: who is no member any more when it runs gets none.
import type { Tx } from "../db/tenant";
import { tenantIdFrom } from "../security/principal";
import { requestMail } from "./jobs";
import type { OwnerNotice } from "./mail-texts";
import { membershipListAdministrators, membershipListOwners } from "./store/memberships";

/** Owners beyond them read it in the log. */
const TOLD_MAX = 50;

type ListAccounts = (tx: Tx, tenantId: string, limit: number) => Promise<string[]>;

async function tell(listed: ListAccounts, tx: Tx, tenant: string, notice: OwnerNotice, about: string): Promise<void> {
  const tenantId = tenantIdFrom(tenant);
  for (const accountId of await listed(tx, tenantId, TOLD_MAX))
    await requestMail(tx, { kind: "owner-notice", notice, about, accountId }, tenantId);
}

/** `about` is the domain, or the issuer of the provider. */
export const tellOwners = (tx: Tx, tenant: string, notice: OwnerNotice, about: string): Promise<void> =>
  tell(membershipListOwners, tx, tenant, notice, about);

/** `about` is the host of the endpoint. */
export const tellAdministrators = (tx: Tx, tenant: string, notice: OwnerNotice, about: string): Promise<void> =>
  tell(membershipListAdministrators, tx, tenant, notice, about);
