// Statements on auth.role: roles that organisations made. Changes of one organisation's are made under membershipLock.
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { beforeCursor, cursorMicros, cursorParams, type Cursor, type CursorRow } from "../../db/cursor";

export interface RoleRow {
  name: string;
  permissions: string[];
}

interface RoleId {
  tenantId: string;
  id: string;
}

export async function roleInsert(tx: Tx, role: RoleId & RoleRow): Promise<void> {
  await tx.execute(`insert into auth.role (id, tenant_id, name, permissions) values ($1, $2, $3, $4)`, [
    role.id,
    role.tenantId,
    role.name,
    role.permissions,
  ]);
}

/** How many the organisation has. */
export async function roleCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from auth.role where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

/** Whether another role of the organisation has the name, in whatever case. */
export async function roleIsNameTaken(tx: Tx, { tenantId, id, name }: RoleId & { name: string }): Promise<boolean> {
  const rows = await tx.query(`select 1 from auth.role where tenant_id = $1 and lower(name) = lower($3) and id <> $2`, [
    tenantId,
    id,
    name,
  ]);
  return rows.length > 0;
}

/** Undefined when the organisation has no such role. */
export async function roleFind(tx: Tx, { tenantId, id }: RoleId): Promise<RoleRow | undefined> {
  const rows = await tx.query<RoleRow>(`select name, permissions from auth.role where tenant_id = $1 and id = $2`, [
    tenantId,
    id,
  ]);
  return rows[0];
}

/** Resolves with the new revision, below which access tokens name what the role no longer is. */
export async function roleUpdate(tx: Tx, { tenantId, id, name, permissions }: RoleId & RoleRow): Promise<number> {
  const rows = await tx.query<{ revision: number }>(
    `update auth.role set name = $3, permissions = $4, revision = nextval('auth.membership_revision')
     where tenant_id = $1 and id = $2 returning revision::float8 as revision`,
    [tenantId, id, name, permissions],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the role is gone");
  return row.revision;
}

/** Whether a member has it, or somebody is invited to it. */
export async function roleIsHeld(tx: Tx, { tenantId, id }: RoleId): Promise<boolean> {
  const rows = await tx.query(
    `(select 1 from auth.membership where tenant_id = $1 and role_id = $2 limit 1)
     union all (select 1 from auth.invitation where tenant_id = $1 and role_id = $2 limit 1)`,
    [tenantId, id],
  );
  return rows.length > 0;
}

export async function roleDelete(tx: Tx, { tenantId, id }: RoleId): Promise<void> {
  await tx.execute(`delete from auth.role where tenant_id = $1 and id = $2`, [tenantId, id]);
}

export interface ListedRoleRow extends RoleRow, CursorRow {
  createdAt: Date;
  members: number;
}

/** The roles that an organisation made, the newest first; one more than a page has. */
export function roleList(scope: TenantScope, limit: number, from: Cursor | undefined): Promise<ListedRoleRow[]> {
  return tenantQuery<ListedRoleRow>(
    scope,
    `select r.id, r.name, r.permissions, r.created_at as "createdAt", ${cursorMicros("r.created_at")} as "cursorMicros",
            (select count(*)::int from auth.membership m where m.tenant_id = r.tenant_id and m.role_id = r.id) as members
     from auth.role r where r.tenant_id = $1 and ${beforeCursor("r.created_at", "r.id", 2)}
     order by r.created_at desc, r.id desc limit $4`,
    [scope.tenantId, ...cursorParams(from), limit + 1],
  );
}
