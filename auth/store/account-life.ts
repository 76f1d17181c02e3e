// Statements on the life of auth.account. `purge_at` is null while it is live.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, type Tx } from "../../db/tenant";
import type { ExportedTable } from "../../db/tenant-export";
import type { Position } from "../../db/upkeep-walk";
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
  return (
    (await tx.execute(`update auth.account set purge_at = null where id = $1 and purge_at > clock_timestamp()`, [
      id,
    ])) === 1
  );
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

/** Accounts whose grace is over, behind a position; locks them, and leaves those that somebody else has locked. */
export function accountListDue(tx: Tx, after: Position, limit: number): Promise<(DueAccountRow & Position)[]> {
  return tx.query<DueAccountRow & Position>(
    `select id, email, email_verified_at is not null as "isVerified", purge_at::text as at from auth.account
     where purge_at <= now() and (purge_at, id) > ($2::timestamptz, $3::uuid) order by purge_at, id limit $1 for update skip locked`,
    [limit, after.at, after.id],
  );
}

/** Live accounts that have waited for more than `keepDays` for somebody to verify their address, behind a position. By index: account_never_verified. */
export function accountListWaiting(tx: Tx, keepDays: number, after: Position, limit: number): Promise<Position[]> {
  return tx.query<Position>(
    `select id, waits_since::text as at from auth.account
     where email_verified_at is null and purge_at is null and waits_since < now() - make_interval(days => $1)
       and (waits_since, id) > ($3::timestamptz, $4::uuid) order by waits_since, id limit $2`,
    [keepDays, limit, after.at, after.id],
  );
}

/**
 * Of these, those that are still waiting and that nobody uses: no session is kept (upkeep keeps one while it lives, and a week), no
 * passkey and no identity is theirs, and they are alone in organisations that have nothing in `data`. Locks them, and leaves those
 * that somebody else has locked.
 */
export function accountListUnused(
  tx: Tx,
  ids: readonly string[],
  data: readonly ExportedTable[],
): Promise<({ email: string } & Position)[]> {
  const holds = data.map(
    ({ name, tenantColumn = "tenant_id" }) => `or exists (select from ${name} d where d.${tenantColumn} = m.tenant_id)`,
  );
  return tx.query<{ email: string } & Position>(
    `select a.id, a.email, a.waits_since::text as at from auth.account a
     where a.id = any($1::uuid[]) and a.email_verified_at is null and a.purge_at is null
       and not exists (select from auth.session s where s.account_id = a.id)
       and not exists (select from auth.passkey p where p.account_id = a.id)
       and not exists (select from auth.identity i where i.account_id = a.id)
       and not exists (
         select from auth.membership m where m.account_id = a.id and (
           exists (select from auth.membership x where x.tenant_id = m.tenant_id and x.account_id <> a.id)
           ${holds.join(" ")}))
     order by a.waits_since, a.id for update of a skip locked`,
    [ids],
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
