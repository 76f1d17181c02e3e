// How people of an organisation are reached: auth/ knows who is a member and which address is verified. Asked as the
// organisation's own service, outside of transactions.
import { auth } from "~encore/clients";
import { idFromParts } from "../../db/ids";
import type { TenantScope } from "../../db/tenant";
import type { AuthData } from "../../security/principal";

/** As many as auth/ answers at once. */
export const CONTACTS_MAX = 100;

export interface Contact {
  userId: string;
  /** The account's own, verified. */
  email?: string | undefined;
  /** The organisation's name. */
  organisation: string;
  /** It is on its way out: who is in it is not disturbed for it any more. */
  isClosing?: boolean | undefined;
}

const authDataOf = ({ tenantId }: TenantScope): AuthData => ({
  userID: idFromParts("notifications", tenantId),
  tenantId,
  kind: "service",
  scope: "",
});

/** Those of these people who are members, at most CONTACTS_MAX. */
export async function contactsOf(
  scope: TenantScope,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, Contact>> {
  const { contacts } = await auth.memberContacts({ userIds: [...userIds] }, { authData: authDataOf(scope) });
  return new Map(contacts.map((contact) => [contact.userId, contact]));
}
