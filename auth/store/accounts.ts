// Statements on auth.account and auth.organisation. An account is nobody's tenant: only system transactions see it.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";

export interface OrganisationRow {
  id: string;
  name: string;
  role: MemberRole;
  /** Of a role that the organisation made, and what it holds; null for a built-in one. */
  roleId: string | null;
  rolePermissions: string[] | null;
  /** Of the membership, or of its role or organisation when that changed later: see auth.membership.revision. */
  revision: number;
}

export interface AccountRow {
  id: string;
  email: string;
  isVerified: boolean;
  /** Null for an account without a password. */
  passwordHash: string | null;
  knownPlaces: Buffer[];
  /** Null when the account belongs to none. */
  organisation: OrganisationRow | null;
}

/** Which of the numbers an access token of a membership `m` names: the greatest, also where there is no role of the organisation's own. */
export const REVISION = "greatest(m.revision, r.revision, o.revision)";
/** A membership with its organisation as one JSON object; null where the join found none. */
export const ORGANISATION = `case when m.role is null then null else
  json_build_object('id', o.id, 'name', o.name, 'role', m.role, 'roleId', m.role_id, 'rolePermissions', r.permissions,
                    'revision', ${REVISION}) end`;
/** The join that ORGANISATION needs beside m and o. */
export const ROLE = `left join auth.role r on r.tenant_id = m.tenant_id and r.id = m.role_id`;

/** The account of a normalised e-mail with its oldest membership. */
export async function accountFindByEmail(email: string): Promise<AccountRow | undefined> {
  const rows = await systemQuery<AccountRow>(
    "sign-in-before-tenant-known",
    `select a.id, a.email, a.email_verified_at is not null as "isVerified", a.password_hash as "passwordHash",
            a.known_places as "knownPlaces", ${ORGANISATION} as organisation
     from auth.account a
     left join (auth.membership m join auth.organisation o on o.id = m.tenant_id and o.purge_at is null)
       on m.account_id = a.id
     ${ROLE}
     where a.email = $1
     order by m.created_at, m.tenant_id
     limit 1`,
    [email],
  );
  return rows[0];
}

/** Whose address it is. */
export async function accountFindIdByEmail(tx: Tx, email: string): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(`select id from auth.account where email = $1`, [email]);
  return rows[0]?.id;
}

/** For an account that changes hands: its address is verified, its password is gone; it is not deleted any more. */
export async function accountClaim(tx: Tx, id: string): Promise<void> {
  await tx.execute(
    `update auth.account set password_hash = null, email_verified_at = now(), purge_at = null where id = $1`,
    [id],
  );
}

/** The account with its oldest membership; locks the account until the transaction ends. */
export async function accountFindForUpdate(tx: Tx, id: string): Promise<AccountRow | undefined> {
  const rows = await tx.query<AccountRow>(
    `select a.id, a.email, a.email_verified_at is not null as "isVerified", a.password_hash as "passwordHash",
            a.known_places as "knownPlaces", ${ORGANISATION} as organisation
     from auth.account a
     left join (auth.membership m join auth.organisation o on o.id = m.tenant_id and o.purge_at is null)
       on m.account_id = a.id
     ${ROLE}
     where a.id = $1
     order by m.created_at, m.tenant_id
     limit 1 for no key update of a`,
    [id],
  );
  return rows[0];
}

export interface OwnAccountRow {
  email: string;
  passwordHash: string | null;
  isVerified: boolean;
  knownPlaces: Buffer[];
}

export async function accountFind(id: string): Promise<OwnAccountRow | undefined> {
  const rows = await systemQuery<OwnAccountRow>(
    "account-of-the-caller",
    `select email, password_hash as "passwordHash", email_verified_at is not null as "isVerified",
            known_places as "knownPlaces"
     from auth.account where id = $1`,
    [id],
  );
  return rows[0];
}

/** Notes that the account's owner reads the mails of `email`. False when it was known, or the account has another address. */
export async function accountSetVerified(tx: Tx, { id, email }: { id: string; email: string }): Promise<boolean> {
  const changed = await tx.execute(
    `update auth.account set email_verified_at = now() where id = $1 and email = $2 and email_verified_at is null`,
    [id, email],
  );
  return changed === 1;
}

/**
 * Whoever gives addresses to accounts, or takes them, goes one after the other for each address, until the transaction ends. In a
 * statement of its own, sent before the one that judges: that one sees what others committed while this one waited, and a
 * statement that waits by itself, for a row, does not. Addresses of two go in one order; account locks are taken before.
 */
function addressLock(tx: Tx, emails: readonly string[]): void {
  for (const email of emails.toSorted())
    tx.executeLater(`select pg_advisory_xact_lock(hashtextextended('auth.account.email ' || $1, 0))`, [email]);
}

/** An address that its account can still take back is nobody else's. */
const RESERVED = (email: string, accountId: string): string => `exists (
  select from auth.one_time_token t where t.purpose = 'revert-email' and t.email = ${email}
    and t.account_id <> ${accountId} and t.expires_at > now())`;

/** Whether another account can still take this address back. True only after accountInsert or accountSetEmail of it. */
export async function accountIsAddressReserved(tx: Tx, { id, email }: { id: string; email: string }): Promise<boolean> {
  const rows = await tx.query<{ is: boolean }>(`select ${RESERVED("$2", "$1")} as is`, [id, email]);
  return rows[0]?.is ?? false;
}

/** Gives the account another address than `from`, which is verified. False when somebody has it. The caller holds the account's lock. */
export async function accountSetEmail(
  tx: Tx,
  { id, from, email }: { id: string; from: string; email: string },
): Promise<boolean> {
  addressLock(tx, [from, email]);
  const taken = await tx.query(`select 1 from auth.account where email = $2 and id <> $1`, [id, email]);
  if (taken.length > 0) return false;
  const changed = await tx.execute(
    `update auth.account set email = $2, email_verified_at = now() where id = $1 and not ${RESERVED("$2", "$1")}`,
    [id, email],
  );
  return changed === 1;
}

/** Its first address again, which nobody else could take meanwhile; the password is gone, and it is not deleted any more. */
export async function accountGiveBackEmail(
  tx: Tx,
  { id, from, email }: { id: string; from: string; email: string },
): Promise<void> {
  addressLock(tx, [from, email]);
  await tx.execute(
    `update auth.account set email = $2, email_verified_at = now(), password_hash = null, purge_at = null where id = $1`,
    [id, email],
  );
}

/** Sets another password for an account that has this address; undefined when it has not, else whether it was verified. */
export async function accountResetPassword(
  tx: Tx,
  { id, email, passwordHash }: { id: string; email: string; passwordHash: string },
): Promise<{ wasVerified: boolean } | undefined> {
  const rows = await tx.query<{ wasVerified: boolean }>(
    `with before as (select id, email_verified_at from auth.account where id = $1 and email = $2 for no key update)
     update auth.account a set password_hash = $3, email_verified_at = coalesce(a.email_verified_at, now())
     from before where a.id = before.id returning before.email_verified_at is not null as "wasVerified"`,
    [id, email, passwordHash],
  );
  return rows[0];
}

/** False when the e-mail is taken; then nothing is written. Waits for whatever is done with the same e-mail. */
export async function accountInsert(
  tx: Tx,
  account: { id: string; email: string; passwordHash: string | null; createdAt: Date },
): Promise<boolean> {
  addressLock(tx, [account.email]);
  const inserted = await tx.execute(
    `insert into auth.account (id, email, password_hash, created_at) select $1, $2, $3, $4
     where not ${RESERVED("$2", "$1")}
     on conflict on constraint account_email_key do nothing`,
    [account.id, account.email, account.passwordHash, account.createdAt],
  );
  return inserted === 1;
}

/** Sets another password where the present one is still the one that was checked. False when it is not. */
export async function accountSetPassword(
  tx: Tx,
  account: { id: string; checkedHash: string; passwordHash: string },
): Promise<boolean> {
  const changed = await tx.execute(`update auth.account set password_hash = $3 where id = $1 and password_hash = $2`, [
    account.id,
    account.checkedHash,
    account.passwordHash,
  ]);
  return changed === 1;
}

/** Notes where the account signed in, before the ten others of most late. Before accountShare, which two sign-ins hold at once. */
export function accountNotePlace(tx: Tx, id: string, place: Buffer): void {
  tx.executeLater(
    `update auth.account set known_places = (array[$2::bytea] || array_remove(known_places, $2))[1:10]
     where id = $1 and known_places[1] is distinct from $2`,
    [id, place],
  );
}

export function accountForgetPlaces(tx: Tx, id: string): void {
  tx.executeLater(`update auth.account set known_places = '{}' where id = $1`, [id]);
}

/**
 * Serialises what counts rows of one account, until the transaction ends; rows that merely refer to it don't wait. False for
 * one that is gone or being deleted. Taken before mailed tokens and the locks of organisations.
 */
export async function accountLock(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.query<{ isLive: boolean }>(
    `select purge_at is null as "isLive" from auth.account where id = $1 for no key update`,
    [id],
  );
  return rows[0]?.isLive ?? false;
}

/** Waits for a change of the account under way, and holds up those that come, until the transaction ends. */
export async function accountShare(tx: Tx, id: string): Promise<void> {
  await tx.query(`select 1 from auth.account where id = $1 for share`, [id]);
}

export async function organisationInsert(
  tx: Tx,
  organisation: { id: string; name: string; createdAt: Date },
): Promise<void> {
  await tx.execute(`insert into auth.organisation (id, name, created_at) values ($1, $2, $3)`, [
    organisation.id,
    organisation.name,
    organisation.createdAt,
  ]);
}

export async function organisationFind(scope: TenantScope): Promise<{ id: string; name: string } | undefined> {
  const rows = await tenantQuery<{ id: string; name: string }>(
    scope,
    `select id, name from auth.organisation where id = $1`,
    [scope.tenantId],
  );
  return rows[0];
}
