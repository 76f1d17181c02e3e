// Statements on the life of auth.account. `purge_at` is null while it is live.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, type Tx } from "../../db/tenant";
import type { ExportedTable } from "../../db/tenant-export";
import { REVISION, ROLE } from "./accounts";

/** An organisation that an account belongs to, as it is without the account. */
export interface HeldMembershipRow {
  tenantId: string;
  name: string;
  role: MemberRole;
  revision: number;
  isClosing: boolean;
  hasOthers: boolean;
  hasOtherOwner: boolean;
}

const anotherMember = (and: string): string =>
  `exists (select from auth.membership x where x.tenant_id = m.tenant_id and x.account_id <> m.account_id ${and})`;

/** All memberships of an account; locks their organisations, so that it stays true until the transaction ends. */
export async function membershipsHeld(tx: Tx, accountId: string, limit: number): Promise<HeldMembershipRow[]> {
  const of = await tx.query<{ tenantId: string }>(
    `select o.id as "tenantId" from auth.organisation o
     where o.id in (select m.tenant_id from auth.membership m where m.account_id = $1) order by o.id limit $2 for update`,
    [accountId, limit],
  );
  return tx.query<HeldMembershipRow>(
    `select m.tenant_id as "tenantId", o.name, m.role, ${REVISION}::float8 as revision, o.purge_at is not null as "isClosing",
            ${anotherMember("")} as "hasOthers", ${anotherMember("and x.role = 'owner'")} as "hasOtherOwner"
     from auth.membership m join auth.organisation o on o.id = m.tenant_id ${ROLE}
     where m.account_id = $1 and m.tenant_id = any($2::uuid[]) order by m.tenant_id`,
    [accountId, of.map(({ tenantId }) => tenantId)],
  );
}

/** Closes a live account; resolves with when its grace is over. The caller holds the account's lock. */
export async function accountClose(tx: Tx, id: string, graceDays: number): Promise<Date> {
  const rows = await tx.query<{ purgeAt: Date }>(
    `update auth.account set purge_at = now() + make_interval(days => $2) where id = $1 and purge_at is null
     returning purge_at as "purgeAt"`,
    [id, graceDays],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the account is not live");
  return row.purgeAt;
}

/** False when it is not being deleted, or its grace is over. */
export async function accountReopen(tx: Tx, id: string): Promise<boolean> {
  return (await tx.execute(`update auth.account set purge_at = null where id = $1 and purge_at > now()`, [id])) === 1;
}

export async function accountIsClosing(tx: Tx, id: string): Promise<boolean> {
  return (await tx.query(`select 1 from auth.account where id = $1 and purge_at is not null`, [id])).length > 0;
}

/** Stores the token that takes the deletion back, over the one before. Resolves with the address; undefined when there is nothing to take back. */
export async function restoreTokenPut(accountId: string, hash: Buffer): Promise<string | undefined> {
  const rows = await systemQuery<{ email: string }>(
    "one-time-token-for-a-mail",
    `insert into auth.one_time_token (account_id, purpose, hash, email, expires_at)
     select a.id, 'restore-account', $2, a.email, a.purge_at from auth.account a where a.id = $1 and a.purge_at > now()
     on conflict (account_id, purpose) do update
       set hash = excluded.hash, email = excluded.email, created_at = now(), expires_at = excluded.expires_at
     returning email`,
    [accountId, hash],
  );
  return rows[0]?.email;
}

export interface DueAccountRow {
  id: string;
  email: string;
  isVerified: boolean;
}

/** Accounts whose grace is over, but for the first `passOver`; locks them, and leaves those that somebody else has locked. */
export function accountListDue(tx: Tx, limit: number, passOver: number): Promise<DueAccountRow[]> {
  return tx.query<DueAccountRow>(
    `select id, email, email_verified_at is not null as "isVerified" from auth.account
     where purge_at <= now() order by purge_at, id limit $1 offset $2 for update skip locked`,
    [limit, passOver],
  );
}

/** Which accounts are meant: `data` are the tables in which an organisation that is used has something, `among` some of them. */
export interface NeverVerified {
  keepDays: number;
  data: readonly ExportedTable[];
  limit: number;
  passOver: number;
  among?: readonly string[];
}

/**
 * Live accounts made more than `keepDays` ago whose address was never verified, of which no session is kept (upkeep keeps one while it lives, and a week), and
 * that are alone in organisations that hold nothing; the oldest first, but for the first `passOver`. Locks them, and leaves those
 * that somebody else has locked. By index: account_never_verified.
 */
export function accountListNeverVerified(
  tx: Tx,
  { keepDays, data, limit, passOver, among = undefined }: NeverVerified,
): Promise<{ id: string; email: string }[]> {
  const holds = data.map(
    ({ name, tenantColumn = "tenant_id" }) => `or exists (select from ${name} d where d.${tenantColumn} = m.tenant_id)`,
  );
  return tx.query<{ id: string; email: string }>(
    `select a.id, a.email from auth.account a
     where a.email_verified_at is null and a.purge_at is null and a.created_at < now() - make_interval(days => $1)
       and ${among === undefined ? "$4::uuid[] is null" : "a.id = any($4::uuid[])"}
       and not exists (select from auth.session s where s.account_id = a.id)
       and not exists (
         select from auth.membership m where m.account_id = a.id and (
           exists (select from auth.membership x where x.tenant_id = m.tenant_id and x.account_id <> a.id)
           ${holds.join(" ")}))
     order by a.created_at, a.id limit $2 offset $3 for update of a skip locked`,
    [keepDays, limit, passOver, among ?? null],
  );
}

/** The address that the account had before and could take back. */
export async function accountEarlierAddresses(tx: Tx, id: string): Promise<string[]> {
  const rows = await tx.query<{ email: string }>(
    `select email from auth.one_time_token where account_id = $1 and purpose = 'revert-email' limit 1`,
    [id],
  );
  return rows.map(({ email }) => email);
}

/** The account with all that belongs to it; what merely names its id stays. */
export async function accountDelete(tx: Tx, id: string): Promise<void> {
  await tx.execute(`delete from auth.session where account_id = $1`, [id]);
  await tx.execute(`delete from auth.membership where account_id = $1`, [id]);
  // Factors, identities, mailed links and invitations that it made go with it.
  await tx.execute(`delete from auth.account where id = $1`, [id]);
}
