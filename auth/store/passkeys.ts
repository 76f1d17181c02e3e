// Statements on auth.passkey. Passkeys belong to accounts, so only system transactions see them; each statement says
// whose account it is, but for the one that finds out.
import { systemQuery, type Tx } from "../../db/tenant";

export interface NewPasskey {
  id: string;
  accountId: string;
  credentialId: Buffer;
  publicKey: Buffer;
  signCount: number;
  isSynced: boolean;
  isBackedUp: boolean;
  transports: readonly string[];
  name: string;
}

/** False when the credential is registered already, for whichever account. */
export async function passkeyInsert(tx: Tx, passkey: NewPasskey): Promise<boolean> {
  const inserted = await tx.execute(
    `insert into auth.passkey
       (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict on constraint passkey_credential do nothing`,
    [
      passkey.id,
      passkey.accountId,
      passkey.credentialId,
      passkey.publicKey,
      passkey.signCount,
      passkey.isSynced,
      passkey.isBackedUp,
      passkey.transports,
      passkey.name,
    ],
  );
  return inserted === 1;
}

/** How many the account has. True only under accountLock. */
export async function passkeyCount(tx: Tx, accountId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from auth.passkey where account_id = $1`, [
    accountId,
  ]);
  return rows[0]?.n ?? 0;
}

export interface PasskeyRow {
  id: string;
  credentialId: Buffer;
  transports: string[];
  name: string;
  isSynced: boolean;
  createdAt: Date;
  lastUsedAt: Date | null;
}

/** The passkeys of an account, the oldest first. */
export function passkeyList(accountId: string): Promise<PasskeyRow[]> {
  return systemQuery<PasskeyRow>(
    "passkeys-of-an-account",
    `select id, credential_id as "credentialId", transports, name, is_synced as "isSynced",
            created_at as "createdAt", last_used_at as "lastUsedAt"
     from auth.passkey where account_id = $1 order by created_at, id limit 100`,
    [accountId],
  );
}

/** Whose a presented credential is that signs in by itself. */
export async function passkeyFindAccount(credentialId: Buffer): Promise<string | undefined> {
  const rows = await systemQuery<{ accountId: string }>(
    "passkey-before-account-known",
    `select account_id as "accountId" from auth.passkey where credential_id = $1 and not is_second_only`,
    [credentialId],
  );
  return rows[0]?.accountId;
}

export interface PresentedPasskeyRow {
  id: string;
  publicKey: Buffer;
  signCount: number;
}

/** Locks the passkey, so that of two signatures with one count the second sees what the first did. */
export async function passkeyFindForUpdate(
  tx: Tx,
  { accountId, credentialId }: { accountId: string; credentialId: Buffer },
): Promise<PresentedPasskeyRow | undefined> {
  const rows = await tx.query<PresentedPasskeyRow>(
    `select id, public_key as "publicKey", sign_count::float8 as "signCount"
     from auth.passkey where account_id = $1 and credential_id = $2 for update`,
    [accountId, credentialId],
  );
  return rows[0];
}

export async function passkeySetUsed(
  tx: Tx,
  passkey: { id: string; signCount: number; isBackedUp: boolean },
): Promise<void> {
  await tx.execute(`update auth.passkey set sign_count = $2, is_backed_up = $3, last_used_at = now() where id = $1`, [
    passkey.id,
    passkey.signCount,
    passkey.isBackedUp,
  ]);
}

/** False when the account has no such passkey. */
export async function passkeyRename(
  tx: Tx,
  passkey: { id: string; accountId: string; name: string },
): Promise<boolean> {
  const changed = await tx.execute(`update auth.passkey set name = $3 where account_id = $1 and id = $2`, [
    passkey.accountId,
    passkey.id,
    passkey.name,
  ]);
  return changed === 1;
}

/** False when the account has no such passkey. */
export async function passkeyDelete(tx: Tx, { id, accountId }: { id: string; accountId: string }): Promise<boolean> {
  return (await tx.execute(`delete from auth.passkey where account_id = $1 and id = $2`, [accountId, id])) === 1;
}

/** Those that were added since, but for the one that is kept; resolves with what they were. */
export function passkeyDeleteSince(
  tx: Tx,
  accountId: string,
  since: Date,
  keptId?: string,
): Promise<{ id: string; name: string }[]> {
  return tx.query(
    `delete from auth.passkey where account_id = $1 and created_at >= $2 and id is distinct from $3 returning id, name`,
    [accountId, since, keptId ?? null],
  );
}

/** From now on the newest is asked for behind another factor, and signs in no more by itself. Resolves with its id. */
export async function passkeyDemoteNewest(tx: Tx, accountId: string): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(
    `update auth.passkey set is_second_only = true
     where id = (select id from auth.passkey where account_id = $1 order by created_at desc, id desc limit 1)
     returning id`,
    [accountId],
  );
  return rows[0]?.id;
}

export async function passkeyDeleteOfAccount(tx: Tx, accountId: string): Promise<void> {
  await tx.execute(`delete from auth.passkey where account_id = $1`, [accountId]);
}
