// By what an account can be signed in to by itself: its password, a passkey, an account at a provider. The last one stays.
import type { Tx } from "../db/tenant";
import { domainOf } from "./domains/name";
import { errors } from "./errors";
import { accountFindForUpdate } from "./store/accounts";
import { identityCount } from "./store/identities";
import { identityProviderOfIn } from "./store/identity-providers";
import { passkeyCount } from "./store/passkeys";

/** After one was removed, in the same transaction. @throws APIError last_sign_in_method when none is left. */
export async function assertSignInMethod(tx: Tx, accountId: string): Promise<void> {
  const account = await accountFindForUpdate(tx, accountId);
  if (account === undefined || account.passwordHash !== null) return;
  if ((await passkeyCount(tx, accountId)) + (await identityCount(tx, accountId)) === 0)
    throw errors.last_sign_in_method();
}

interface Leaving {
  accountId: string;
  tenantId: string;
  /** That goes, for whose addresses the provider speaks; all that it speaks for without. */
  domain?: string;
  /** Then a mailed link sets a password. */
  canMail: boolean;
}

/**
 * Before the organisation's provider is removed, or speaks for a domain no more, by one of its own people: who signs in by it alone
 * could never undo that. The caller holds accountLock. @throws APIError only_way_in.
 */
export async function assertWayInBeside(tx: Tx, { accountId, tenantId, domain, canMail }: Leaving): Promise<void> {
  if (canMail) return;
  const account = await accountFindForUpdate(tx, accountId);
  if (account === undefined || account.passwordHash !== null) return;
  if (domain !== undefined && domainOf(account.email) !== domain) return;
  const provider = await identityProviderOfIn(tx, tenantId);
  if (provider === undefined) return;
  const others = (await passkeyCount(tx, accountId)) + (await identityCount(tx, accountId, provider.id));
  if (others === 0) throw errors.only_way_in();
}
