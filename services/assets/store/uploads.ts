// The SQL of uploads under way, and of all that an organisation has when it is gone.
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { DeleteSome } from "../../../db/tenant-purge";

/** Notes that the bucket may soon have the first part of an upload. */
export async function uploadInsert(scope: TenantScope, id: string): Promise<void> {
  await tenantQuery(scope, `insert into assets.upload (id, tenant_id, parts) values ($1, $2, 1)`, [id, scope.tenantId]);
}

/** Notes that it may soon have one more. */
export async function uploadGrow(scope: TenantScope, id: string, parts: number): Promise<void> {
  await tenantQuery(scope, `update assets.upload set parts = $3 where tenant_id = $1 and id = $2`, [
    scope.tenantId,
    id,
    parts,
  ]);
}

/** Ends an upload; resolves with how many parts the bucket may have of it, undefined when another has ended it. */
export async function uploadDelete(tx: Tx, tenantId: string, id: string): Promise<number | undefined> {
  const rows = await tx.query<{ parts: number }>(
    `delete from assets.upload where tenant_id = $1 and id = $2 returning parts`,
    [tenantId, id],
  );
  return rows[0]?.parts;
}

export interface Abandoned {
  id: string;
  tenantId: string;
  parts: number;
}

/** Ends uploads of any tenant that began before a moment, at most `limit`; passes over those that another one holds. */
export function uploadDeleteOld(tx: Tx, before: Date, limit: number): Promise<Abandoned[]> {
  return tx.query<Abandoned>(
    `delete from assets.upload where id in (
       select id from assets.upload where created_at < $1 order by created_at limit $2 for update skip locked)
     returning id, tenant_id as "tenantId", parts`,
    [before, limit],
  );
}

/** What the bucket has of a tenant, at most `limit` of each kind. */
export function storedOfTenant(tx: Tx, tenantId: string, limit: number): Promise<{ id: string; parts: number }[]> {
  return tx.query<{ id: string; parts: number }>(
    `(select id, parts from assets.content where tenant_id = $1 order by id limit $2)
     union all (select id, parts from assets.upload where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );
}

/** Removes what is noted of things whose bytes are gone. Nothing refers to a content of theirs. */
export async function storedDelete(tx: Tx, tenantId: string, ids: readonly string[]): Promise<void> {
  await tx.execute(`delete from assets.content where tenant_id = $1 and id = any($2::uuid[])`, [tenantId, ids]);
  await tx.execute(`delete from assets.upload where tenant_id = $1 and id = any($2::uuid[])`, [tenantId, ids]);
}

const versions: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from assets.version where tenant_id = $1 and (asset_id, version) in (
       select asset_id, version from assets.version where tenant_id = $1 order by asset_id, version limit $2)`,
    [tenantId, limit],
  );

const files: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from assets.asset where tenant_id = $1 and id in (
       select id from assets.asset where tenant_id = $1 order by created_at, id limit $2)`,
    [tenantId, limit],
  );

/** What people see of files, in the order in which it must go; at most `limit` rows each. */
export const filesDelete: readonly DeleteSome[] = [versions, files];

/** The last row. */
export const usageDelete: DeleteSome = (tx, tenantId) =>
  tx.execute(`delete from assets.usage where tenant_id = $1`, [tenantId]);
