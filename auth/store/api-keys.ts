// Statements on auth.api_key. A presented key names no tenant, so it is looked up in a system transaction.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { beforeCursor, cursorMicros, cursorParams, type Cursor, type CursorRow } from "../../db/cursor";

/** Whose a key is: a person's, or a service principal's. */
export type KeyHolder = { accountId: string } | { serviceId: string };

export interface NewApiKey {
  id: string;
  tenantId: string;
  holder: KeyHolder;
  name: string;
  prefix: string;
  hash: Buffer;
  permissions: readonly string[];
  networks: readonly string[];
  days: number;
}

/** Resolves with when it expires. */
export async function apiKeyInsert(tx: Tx, key: NewApiKey): Promise<Date> {
  const accountId = "accountId" in key.holder ? key.holder.accountId : null;
  const serviceId = "serviceId" in key.holder ? key.holder.serviceId : null;
  const rows = await tx.query<{ expiresAt: Date }>(
    `insert into auth.api_key (id, tenant_id, account_id, service_id, name, prefix, hash, permissions, networks, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(days => $10)) returning expires_at as "expiresAt"`,
    [
      key.id,
      key.tenantId,
      accountId,
      serviceId,
      key.name,
      key.prefix,
      key.hash,
      key.permissions,
      key.networks,
      key.days,
    ],
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

export interface HeldApiKeyRow {
  accountId: string | null;
  serviceId: string | null;
  name: string;
  permissions: string[];
  /** Of the service principal. */
  servicePermissions: string[] | null;
}

/** A key that has not expired, locked until the transaction ends; undefined when the organisation has no such key. */
export async function apiKeyFindForUpdate(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<HeldApiKeyRow | undefined> {
  const rows = await tx.query<HeldApiKeyRow>(
    `select k.account_id as "accountId", k.service_id as "serviceId", k.name, k.permissions,
            s.permissions as "servicePermissions"
     from auth.api_key k left join auth.service_principal s on s.id = k.service_id
     where k.tenant_id = $1 and k.id = $2 and k.expires_at > now() for update of k`,
    [tenantId, id],
  );
  return rows[0];
}

export interface RotatedKey {
  tenantId: string;
  id: string;
  prefix: string;
  hash: Buffer;
  overlapHours: number;
  days: number;
}

/** Gives a key another secret; the one before stays good for the overlap, any earlier one is not. */
export async function apiKeyRotate(tx: Tx, key: RotatedKey): Promise<{ expiresAt: Date; previousUntil: Date }> {
  const rows = await tx.query<{ expiresAt: Date; previousUntil: Date }>(
    `update auth.api_key
     set previous_hash = hash, previous_until = least(expires_at, now() + make_interval(hours => $5)),
         hash = $4, prefix = $3, rotated_at = now(), expires_at = now() + make_interval(days => $6)
     where tenant_id = $1 and id = $2 returning expires_at as "expiresAt", previous_until as "previousUntil"`,
    [key.tenantId, key.id, key.prefix, key.hash, key.overlapHours, key.days],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the key is gone");
  return row;
}

export interface ListedApiKeyRow extends CursorRow {
  name: string;
  prefix: string;
  permissions: string[];
  networks: string[];
  /** Null for a service principal's. */
  createdBy: string | null;
  serviceId: string | null;
  createdAt: Date;
  rotatedAt: Date | null;
  /** While the secret before the last rotation is good. */
  previousUntil: Date | null;
  expiresAt: Date;
  lastUsedAt: Date | null;
}

/** The keys of an organisation, the newest first; one more than a page has. */
export function apiKeyList(scope: TenantScope, limit: number, from: Cursor | undefined): Promise<ListedApiKeyRow[]> {
  return tenantQuery<ListedApiKeyRow>(
    scope,
    `select id, name, prefix, permissions, networks, account_id as "createdBy", service_id as "serviceId",
            created_at as "createdAt", rotated_at as "rotatedAt",
            case when previous_until > now() then previous_until end as "previousUntil",
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

/** At most $2 of the keys that the account $1 made, in whichever organisation, in the order in which all lock organisations. */
const ofAccount = (condition: string): string =>
  `id in (select id from auth.api_key where account_id = $1 and ${condition} order by tenant_id, id limit $2 for update)`;
/** Of those, whose secret is not older. */
const SINCE = "(created_at >= $3 or rotated_at >= $3)";

export interface KeyOfAccountRow {
  id: string;
  tenantId: string;
  name: string;
}
const KEY_OF_ACCOUNT = `id, tenant_id as "tenantId", name`;

/** Removes the keys that an account made, at most `limit`. In the order of their organisations. */
export async function apiKeyDeleteOfAccount(tx: Tx, accountId: string, limit: number): Promise<KeyOfAccountRow[]> {
  const text = `delete from auth.api_key where ${ofAccount("true")} returning ${KEY_OF_ACCOUNT}`;
  return (await tx.query<KeyOfAccountRow>(text, [accountId, limit])).sort(byOrganisation);
}

/** Those whose secret is not older than `since` open nothing from the commit on, and are still there. */
export async function apiKeyExpireOfAccount(
  tx: Tx,
  accountId: string,
  limit: number,
  since: Date,
): Promise<KeyOfAccountRow[]> {
  const text = `update auth.api_key set expires_at = least(expires_at, now()) where ${ofAccount(SINCE)} returning ${KEY_OF_ACCOUNT}`;
  return (await tx.query<KeyOfAccountRow>(text, [accountId, limit, since])).sort(byOrganisation);
}

/** Removes those of them that open nothing, at most `limit`. */
export async function apiKeyDeleteExpiredOfAccount(
  tx: Tx,
  accountId: string,
  limit: number,
  since: Date,
): Promise<KeyOfAccountRow[]> {
  const text = `delete from auth.api_key where ${ofAccount(`${SINCE} and expires_at <= now()`)} returning ${KEY_OF_ACCOUNT}`;
  return (await tx.query<KeyOfAccountRow>(text, [accountId, limit, since])).sort(byOrganisation);
}

const byOrganisation = (a: KeyOfAccountRow, b: KeyOfAccountRow): number =>
  a.tenantId < b.tenantId || (a.tenantId === b.tenantId && a.id < b.id) ? -1 : 1;

/** Removes the keys that an account made in one organisation, whose number of keys bounds them. */
export function apiKeyDeleteOfMember(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<{ id: string }[]> {
  return tx.query(`delete from auth.api_key where tenant_id = $1 and account_id = $2 returning id`, [
    tenantId,
    accountId,
  ]);
}

/** Removes the keys of a service principal; the organisation's number of keys bounds them. */
export function apiKeyDeleteOfService(tx: Tx, tenantId: string, serviceId: string): Promise<{ id: string }[]> {
  return tx.query(`delete from auth.api_key where tenant_id = $1 and service_id = $2 returning id`, [
    tenantId,
    serviceId,
  ]);
}

/** The same of all service principals of an organisation. */
export function apiKeyDeleteOfServices(tx: Tx, tenantId: string): Promise<{ id: string }[]> {
  return tx.query(`delete from auth.api_key where tenant_id = $1 and service_id is not null returning id`, [tenantId]);
}

export interface PresentedKeyRow {
  id: string;
  tenantId: string;
  permissions: string[];
  networks: string[];
  /** Of the member who made it, now; null for a service principal's. */
  role: MemberRole | null;
  rolePermissions: string[] | null;
  serviceId: string | null;
  servicePermissions: string[] | null;
}

const PRESENTED = `k.id, k.tenant_id as "tenantId", k.permissions, k.networks, m.role, r.permissions as "rolePermissions",
  k.service_id as "serviceId", s.permissions as "servicePermissions"
  from auth.api_key k
    join auth.organisation o on o.id = k.tenant_id and o.purge_at is null
    left join auth.membership m on m.tenant_id = k.tenant_id and m.account_id = k.account_id
    left join auth.role r on r.tenant_id = m.tenant_id and r.id = m.role_id
    left join auth.service_principal s on s.id = k.service_id and s.tenant_id = k.tenant_id and s.disabled_at is null`;
const ACTS = `k.expires_at > now() and (m.account_id is not null or s.id is not null)`;

/**
 * A key of the organisation by its id, a person's or this service principal's, under the same conditions; without an id any of the
 * service principal's, whose number the organisation's number of keys bounds. None whose secret of this
 * digest (its first bytes) is good no more; where a gateway of the version before named none, none whose last secret took the place of
 * another since `sinceMs` (since 1970), unless that is good still: which of them was shown is not known then, only that it was by then.
 */
export async function apiKeysFindActing(
  tx: Tx,
  key: { tenantId: string; serviceId: string | null; sinceMs: number; digest: Buffer | null } & (
    { id: string } | { serviceId: string }
  ),
): Promise<PresentedKeyRow[]> {
  const { tenantId, serviceId, sinceMs, digest } = key;
  return tx.query<PresentedKeyRow>(
    `select ${PRESENTED}
     where k.tenant_id = $1 and ($2::uuid is null or k.id = $2) and k.service_id is not distinct from $3 and ${ACTS}
       and case when $5::bytea is null
         then k.rotated_at is null or k.rotated_at <= to_timestamp($4::float8 / 1000) or k.previous_until > now()
         else substring(k.hash from 1 for length($5::bytea)) = $5
           or k.previous_until > now() and substring(k.previous_hash from 1 for length($5::bytea)) = $5 end`,
    [tenantId, "id" in key ? key.id : null, serviceId, sinceMs, digest],
  );
}

/**
 * The live key of a hash, if who made it is still a member, or the service principal whose it is may act; notes its use,
 * once an hour at most.
 */
export async function apiKeyFind(hash: Buffer): Promise<PresentedKeyRow | undefined> {
  const rows = await systemQuery<PresentedKeyRow>(
    "api-key-before-tenant-known",
    `with found as (
       select ${PRESENTED}
       where (k.hash = $1 or k.previous_hash = $1 and k.previous_until > now()) and ${ACTS}
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
