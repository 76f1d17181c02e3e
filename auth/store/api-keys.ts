// Statements on auth.api_key. A presented key names no tenant, so it is looked up in a system transaction.
import type { Role } from "../../security/permissions";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { beforeCursor, cursorMicros, cursorParams, type Cursor, type CursorRow } from "../../db/cursor";

export interface NewApiKey {
  id: string;
  tenantId: string;
  accountId: string;
  name: string;
  prefix: string;
  hash: Buffer;
  permissions: readonly string[];
  days: number;
}

/** Resolves with when it expires. */
export async function apiKeyInsert(tx: Tx, key: NewApiKey): Promise<Date> {
  const rows = await tx.query<{ expiresAt: Date }>(
    `insert into auth.api_key (id, tenant_id, account_id, name, prefix, hash, permissions, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(days => $8)) returning expires_at as "expiresAt"`,
    [key.id, key.tenantId, key.accountId, key.name, key.prefix, key.hash, key.permissions, key.days],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("an insert answered no row");
  return row.expiresAt;
}

/** How many the organisation has. True only under membershipLock. */
export async function apiKeyCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from auth.api_key where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

export interface ListedApiKeyRow extends CursorRow {
  name: string;
  prefix: string;
  permissions: string[];
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  lastUsedAt: Date | null;
}

/** The keys of an organisation, the newest first; one more than a page has. */
export function apiKeyList(scope: TenantScope, limit: number, from: Cursor | undefined): Promise<ListedApiKeyRow[]> {
  return tenantQuery<ListedApiKeyRow>(
    scope,
    `select id, name, prefix, permissions, account_id as "createdBy", created_at as "createdAt",
            expires_at as "expiresAt", last_used_at as "lastUsedAt", ${cursorMicros("created_at")} as "cursorMicros"
     from auth.api_key where tenant_id = $1 and ${beforeCursor("created_at", "id", 2)}
     order by created_at desc, id desc limit $4`,
    [scope.tenantId, ...cursorParams(from), limit + 1],
  );
}

/** False when the organisation has no such key. */
export async function apiKeyDelete(tx: Tx, { tenantId, id }: { tenantId: string; id: string }): Promise<boolean> {
  return (await tx.execute(`delete from auth.api_key where tenant_id = $1 and id = $2`, [tenantId, id])) === 1;
}

/** Removes the keys that an account made, in whichever organisation, at most `limit`. */
export function apiKeyDeleteOfAccount(
  tx: Tx,
  accountId: string,
  limit: number,
): Promise<{ id: string; tenantId: string }[]> {
  return tx.query(
    `delete from auth.api_key where id in (select id from auth.api_key where account_id = $1 limit $2)
     returning id, tenant_id as "tenantId"`,
    [accountId, limit],
  );
}

export interface PresentedKeyRow {
  id: string;
  tenantId: string;
  permissions: string[];
  /** Of the member who made it, now. */
  role: Role;
}

/** The live key of a hash, if who made it is still a member; notes its use, once an hour at most. */
export async function apiKeyFind(hash: Buffer): Promise<PresentedKeyRow | undefined> {
  const rows = await systemQuery<PresentedKeyRow>(
    "api-key-before-tenant-known",
    `with found as (
       select k.id, k.tenant_id as "tenantId", k.permissions, m.role
       from auth.api_key k join auth.membership m on m.tenant_id = k.tenant_id and m.account_id = k.account_id
         join auth.organisation o on o.id = k.tenant_id and o.purge_at is null
       where k.hash = $1 and k.expires_at > now()
     ), used as (
       update auth.api_key k set last_used_at = now() from found
       where k.id = found.id and (k.last_used_at is null or k.last_used_at < now() - interval '1 hour')
     )
     select * from found`,
    [hash],
  );
  return rows[0];
}

/** Removes keys that expired more than `keepDays` ago, at most `limit`. */
export async function apiKeyDeleteExpired(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.api_key where id in (
       select id from auth.api_key where expires_at < now() - make_interval(days => $1)
       order by expires_at limit $2 for update skip locked)`,
    [keepDays, limit],
  );
}
