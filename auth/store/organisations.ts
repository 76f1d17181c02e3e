// Statements on the life of auth.organisation. `purge_at` is null while it is live.
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";

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

/**
 * What there may be any number of in an organisation whose grace is over, in the order in which it must go, at most `limit` rows each. It
 * goes before the organisation does, so that nothing large is left for the statements of organisationDeleteDue.
 */
export const dueOrganisationEmpty: readonly ((tx: Tx, limit: number) => Promise<number>)[] = [
  (tx, limit) =>
    tx.execute(
      `update auth.session set organisation_id = null where id in (
         select s.id from auth.organisation o join auth.session s on s.organisation_id = o.id
         where o.purge_at <= now() limit $1 for update of s skip locked)`,
      [limit],
    ),
  (tx, limit) =>
    tx.execute(
      `delete from auth.membership where (tenant_id, account_id) in (
         select m.tenant_id, m.account_id from auth.organisation o join auth.membership m on m.tenant_id = o.id
         where o.purge_at <= now() limit $1 for update of m skip locked)`,
      [limit],
    ),
  (tx, limit) =>
    tx.execute(
      `delete from auth.ended_membership where (tenant_id, account_id) in (
         select e.tenant_id, e.account_id from auth.organisation o join auth.ended_membership e on e.tenant_id = o.id
         where o.purge_at <= now() limit $1 for update of e skip locked)`,
      [limit],
    ),
];

/** Removes organisations whose grace is over with all that auth holds of them, but for the first `passOver`; resolves with their ids. */
export async function organisationDeleteDue(tx: Tx, limit: number, passOver: number): Promise<string[]> {
  const due = await tx.query<{ id: string }>(
    `select id from auth.organisation where purge_at <= now() order by purge_at, id limit $1 offset $2 for update skip locked`,
    [limit, passOver],
  );
  const ids = due.map(({ id }) => id);
  if (ids.length === 0) return ids;
  await tx.execute(`update auth.session set organisation_id = null where organisation_id = any($1::uuid[])`, [ids]);
  await tx.execute(`delete from auth.api_key where tenant_id = any($1::uuid[])`, [ids]);
  await tx.execute(`delete from auth.invitation where tenant_id = any($1::uuid[])`, [ids]);
  await tx.execute(`delete from auth.membership where tenant_id = any($1::uuid[])`, [ids]);
  await tx.execute(`delete from auth.organisation where id = any($1::uuid[])`, [ids]);
  // Its tokens open nothing from now on, and row security's table does not grow with those that are gone.
  await tx.query(`select db.dismiss_tenant(id) from unnest($1::uuid[]) as gone (id)`, [ids]);
  return ids;
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
