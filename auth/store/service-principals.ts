// Statements on auth.service_principal.
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { beforeCursor, cursorMicros, cursorParams, type Cursor, type CursorRow } from "../../db/cursor";

export interface NewServicePrincipal {
  id: string;
  tenantId: string;
  name: string;
  permissions: readonly string[];
}

/** Undefined when the name is taken, else when it was made. */
export async function servicePrincipalInsert(tx: Tx, made: NewServicePrincipal): Promise<Date | undefined> {
  const rows = await tx.query<{ createdAt: Date }>(
    `insert into auth.service_principal (id, tenant_id, name, permissions) values ($1, $2, $3, $4)
     on conflict (tenant_id, name) do nothing returning created_at as "createdAt"`,
    [made.id, made.tenantId, made.name, made.permissions],
  );
  return rows[0]?.createdAt;
}

/** How many the organisation has. True only under membershipLock. */
export async function servicePrincipalCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(
    `select count(*)::int as n from auth.service_principal where tenant_id = $1`,
    [tenantId],
  );
  return rows[0]?.n ?? 0;
}

export interface ServicePrincipalRow {
  name: string;
  permissions: string[];
  isDisabled: boolean;
}

/** Locked until the transaction ends; undefined when the organisation has no such one. */
export async function servicePrincipalFindForUpdate(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<ServicePrincipalRow | undefined> {
  const rows = await tx.query<ServicePrincipalRow>(
    `select name, permissions, disabled_at is not null as "isDisabled" from auth.service_principal
     where tenant_id = $1 and id = $2 for update`,
    [tenantId, id],
  );
  return rows[0];
}

/** Whether another one of the organisation has the name. True only under membershipLock. */
export async function servicePrincipalIsNameTaken(
  tx: Tx,
  { tenantId, id, name }: { tenantId: string; id: string; name: string },
): Promise<boolean> {
  const rows = await tx.query(`select 1 from auth.service_principal where tenant_id = $1 and name = $3 and id <> $2`, [
    tenantId,
    id,
    name,
  ]);
  return rows.length > 0;
}

export async function servicePrincipalUpdate(
  tx: Tx,
  { tenantId, id, name, permissions, isDisabled }: { tenantId: string; id: string } & ServicePrincipalRow,
): Promise<void> {
  await tx.execute(
    `update auth.service_principal
     set name = $3, permissions = $4, disabled_at = case when $5 then coalesce(disabled_at, now()) end
     where tenant_id = $1 and id = $2`,
    [tenantId, id, name, permissions, isDisabled],
  );
}

export async function servicePrincipalDelete(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<void> {
  await tx.execute(`delete from auth.service_principal where tenant_id = $1 and id = $2`, [tenantId, id]);
}

/** All of an organisation, whose number is bounded; resolves with what they were. */
export function servicePrincipalDeleteAll(tx: Tx, tenantId: string): Promise<{ id: string; name: string }[]> {
  return tx.query(`delete from auth.service_principal where tenant_id = $1 returning id, name`, [tenantId]);
}

export interface ListedServicePrincipalRow extends CursorRow {
  name: string;
  permissions: string[];
  isDisabled: boolean;
  createdAt: Date;
  keys: number;
  lastUsedAt: Date | null;
}

/** Those of an organisation, the newest first; one more than a page has. */
export function servicePrincipalList(
  scope: TenantScope,
  limit: number,
  from: Cursor | undefined,
): Promise<ListedServicePrincipalRow[]> {
  return tenantQuery<ListedServicePrincipalRow>(
    scope,
    `select s.id, s.name, s.permissions, s.disabled_at is not null as "isDisabled", s.created_at as "createdAt",
            k.keys, k.last_used_at as "lastUsedAt", ${cursorMicros("s.created_at")} as "cursorMicros"
     from auth.service_principal s cross join lateral (
       select count(*)::int as keys, max(last_used_at) as last_used_at from auth.api_key
       where service_id = s.id and expires_at > now()) k
     where s.tenant_id = $1 and ${beforeCursor("s.created_at", "s.id", 2)}
     order by s.created_at desc, s.id desc limit $4`,
    [scope.tenantId, ...cursorParams(from), limit + 1],
  );
}
