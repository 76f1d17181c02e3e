// Statements on the life of auth.organisation. `purge_at` is null while it is live.
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import type { Position } from "../../db/upkeep-walk";

export async function organisationRead(scope: TenantScope): Promise<{ name: string; createdAt: Date } | undefined> {
  const rows = await tenantQuery<{ name: string; createdAt: Date }>(
    scope,
    `select name, created_at as "createdAt" from auth.organisation where id = $1 and purge_at is null`,
    [scope.tenantId],
  );
  return rows[0];
}

/** Sets the name; resolves with the one before. Undefined when there is no such organisation. */
export async function organisationRename(tx: Tx, id: string, name: string): Promise<string | undefined> {
  const rows = await tx.query<{ name: string }>(
    `with before as (select id, name from auth.organisation where id = $1 and purge_at is null for update)
     update auth.organisation o set name = $2 from before where o.id = before.id returning before.name`,
    [id, name],
  );
  return rows[0]?.name;
}

/** Closes a live organisation; resolves with when its grace is over. */
export async function organisationClose(tx: Tx, id: string, graceDays: number): Promise<Date> {
  const rows = await tx.query<{ purgeAt: Date }>(
    `update auth.organisation set purge_at = now() + make_interval(days => $2) where id = $1 and purge_at is null
     returning purge_at as "purgeAt"`,
    [id, graceDays],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the organisation is not live");
  return row.purgeAt;
}

/** Gives it a new revision, above those of all its members and roles; resolves with it. */
export async function organisationRevise(tx: Tx, id: string): Promise<number> {
  const rows = await tx.query<{ revision: number }>(
    `update auth.organisation set revision = nextval('auth.membership_revision') where id = $1
     returning revision::float8 as revision`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the organisation is gone");
  return row.revision;
}

export async function organisationReopen(tx: Tx, id: string): Promise<void> {
  await tx.execute(`update auth.organisation set purge_at = null where id = $1`, [id]);
}

export interface ClosingOrganisationRow {
  id: string;
  name: string;
  purgeAt: Date;
}

/** The organisations that an account owns and that are being deleted. */
export function organisationListClosing(accountId: string, limit: number): Promise<ClosingOrganisationRow[]> {
  return systemQuery<ClosingOrganisationRow>(
    "closing-organisations-of-the-caller",
    `select o.id, o.name, o.purge_at as "purgeAt"
     from auth.membership m join auth.organisation o on o.id = m.tenant_id
     where m.account_id = $1 and m.role = 'owner' and o.purge_at is not null order by o.purge_at limit $2`,
    [accountId, limit],
  );
}

/** Organisations whose grace is over, behind a position; locks them, and leaves those that somebody else has locked. */
export function organisationListDue(tx: Tx, after: Position, limit: number): Promise<Position[]> {
  return tx.query<Position>(
    `select id, purge_at::text as at from auth.organisation
     where purge_at <= now() and (purge_at, id) > ($2::timestamptz, $3::uuid) order by purge_at, id limit $1 for update skip locked`,
    [limit, after.at, after.id],
  );
}

/** What there may be any number of in an organisation, at most `limit` rows of each. */
const emptying = [
  `update auth.session set organisation_id = null where id in (
     select id from auth.session where organisation_id = any($1::uuid[]) limit $2)`,
  `delete from auth.membership where (tenant_id, account_id) in (
     select tenant_id, account_id from auth.membership where tenant_id = any($1::uuid[]) limit $2)`,
  `delete from auth.ended_membership where (tenant_id, account_id) in (
     select tenant_id, account_id from auth.ended_membership where tenant_id = any($1::uuid[]) limit $2)`,
];

/** Begins to remove what is in these organisations; resolves with whether nothing of it is left. The caller has locked them. */
export async function organisationEmpty(tx: Tx, ids: readonly string[], limit: number): Promise<boolean> {
  for (const statement of emptying) if ((await tx.execute(statement, [ids, limit])) >= limit) return false;
  return true;
}

/** Removes organisations that are empty (organisationEmpty) with all else that auth holds of them. The caller has locked them. */
export async function organisationDelete(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.execute(`delete from auth.api_key where tenant_id = any($1::uuid[])`, [ids]);
  await tx.execute(`delete from auth.invitation where tenant_id = any($1::uuid[])`, [ids]);
  await tx.execute(`delete from auth.organisation where id = any($1::uuid[])`, [ids]);
  // Its tokens open nothing from now on, and row security's table does not grow with those that are gone.
  await tx.query(`select db.dismiss_tenant(id) from unnest($1::uuid[]) as gone (id)`, [ids]);
}

/** Ids of those that are there, also of one that is closing, behind `after`, in their order. */
export async function organisationIdList(after: string, limit: number): Promise<string[]> {
  const rows = await systemQuery<{ id: string }>(
    "audit-verify",
    `select id from auth.organisation where id > $1 order by id limit $2`,
    [after, limit],
  );
  return rows.map(({ id }) => id);
}

/** Whether it is there, also while it is closing. */
export async function organisationIsKnown(id: string): Promise<boolean> {
  return (await systemQuery("audit-verify", `select 1 from auth.organisation where id = $1`, [id])).length > 0;
}
