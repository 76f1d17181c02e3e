// Statements on auth.identity: who accounts are at OpenID providers.
import { systemQuery, type Tx } from "../../db/tenant";

/** How identity and account came together (oidc/linking.ts). */
export type How = "registered" | "matched" | "claimed" | "linked";

/** What a provider says of somebody: nobody else has it there. */
export interface IdentityKey {
  provider: string;
  issuer: string;
  subject: string;
}

/** Whose it is; undefined when no account has it. */
export async function identityFind(tx: Tx, key: IdentityKey): Promise<{ id: string; accountId: string } | undefined> {
  const rows = await tx.query<{ id: string; accountId: string }>(
    `select id, account_id as "accountId" from auth.identity where provider = $1 and issuer = $2 and subject = $3`,
    [key.provider, key.issuer, key.subject],
  );
  return rows[0];
}

/** Whether it is this account's. True only under the account's lock. */
export async function identityIsOf(tx: Tx, { id, accountId }: { id: string; accountId: string }): Promise<boolean> {
  const rows = await tx.query(`select 1 from auth.identity where id = $1 and account_id = $2`, [id, accountId]);
  return rows.length > 0;
}

/** False when an account has it already. Waits for one that is linking it. */
export async function identityInsert(
  tx: Tx,
  identity: IdentityKey & { id: string; accountId: string; email: string | null; how: How },
): Promise<boolean> {
  const inserted = await tx.execute(
    `insert into auth.identity (id, account_id, provider, issuer, subject, email, how) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict on constraint identity_subject do nothing`,
    [
      ...[identity.id, identity.accountId, identity.provider, identity.issuer, identity.subject],
      ...[identity.email, identity.how],
    ],
  );
  return inserted === 1;
}

export async function identitySetUsed(tx: Tx, id: string): Promise<void> {
  await tx.execute(`update auth.identity set last_used_at = now() where id = $1`, [id]);
}

export interface IdentityRow {
  id: string;
  provider: string;
  issuer: string;
  email: string | null;
  how: How;
  createdAt: Date;
  lastUsedAt: Date | null;
}

/** The oldest first. */
export function identityList(accountId: string, limit: number): Promise<IdentityRow[]> {
  return systemQuery<IdentityRow>(
    "identities-of-the-caller",
    `select id, provider, issuer, email, how, created_at as "createdAt", last_used_at as "lastUsedAt"
     from auth.identity where account_id = $1 order by created_at, id limit $2`,
    [accountId, limit],
  );
}

/** But for those at one provider. True only under accountLock. */
export async function identityCount(tx: Tx, accountId: string, but: string | null = null): Promise<number> {
  const rows = await tx.query<{ n: number }>(
    `select count(*)::int as n from auth.identity where account_id = $1 and provider is distinct from $2`,
    [accountId, but],
  );
  return rows[0]?.n ?? 0;
}

/** Undefined when the account has no such one. */
export async function identityDelete(
  tx: Tx,
  { id, accountId }: { id: string; accountId: string },
): Promise<{ provider: string; issuer: string } | undefined> {
  const rows = await tx.query<{ provider: string; issuer: string }>(
    `delete from auth.identity where id = $1 and account_id = $2 returning provider, issuer`,
    [id, accountId],
  );
  return rows[0];
}

/** Of a provider that is gone, or, with `exceptIssuer`, is another from now on. */
export async function identityDeleteOfProvider(tx: Tx, provider: string, exceptIssuer: string | null): Promise<void> {
  await tx.execute(`delete from auth.identity where provider = $1 and issuer is distinct from $2`, [
    provider,
    exceptIssuer,
  ]);
}

/** Those that were linked since, and not what the account was registered by; resolves with what they were. */
export function identityDeleteSince(
  tx: Tx,
  accountId: string,
  since: Date,
): Promise<{ id: string; provider: string }[]> {
  return tx.query(
    `delete from auth.identity where account_id = $1 and created_at >= $2 and how <> 'registered' returning id, provider`,
    [accountId, since],
  );
}

export async function identityDeleteOfAccount(tx: Tx, accountId: string): Promise<void> {
  await tx.execute(`delete from auth.identity where account_id = $1`, [accountId]);
}
