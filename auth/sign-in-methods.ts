// By what an account can be signed in to by itself: its password, a passkey, an account at a provider. The last one stays.
import type { Tx } from "../db/tenant";
import { errors } from "./errors";
import { accountFindForUpdate } from "./store/accounts";
import { identityCount } from "./store/identities";
import { passkeyCount } from "./store/passkeys";

/** After one was removed, in the same transaction. @throws APIError last_sign_in_method when none is left. */
export async function assertSignInMethod(tx: Tx, accountId: string): Promise<void> {
  const account = await accountFindForUpdate(tx, accountId);
  if (account === undefined || account.passwordHash !== null) return;
  if ((await passkeyCount(tx, accountId)) + (await identityCount(tx, accountId)) === 0)
    throw errors.last_sign_in_method();
}
