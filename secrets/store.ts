// Statements on secrets.tenant_key and secrets.secret.
import type { SealedRows } from "../db/master-keys";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../db/tenant";
import { declareExport } from "../db/tenant-export";

export interface TenantKeyRow {
  id: string;
  tenantId: string;
  sealed: Buffer;
}

/** One at a time writes an organisation's secrets: what is counted stays true, and nothing is sealed with a key that was just replaced. */
export async function secretLock(tx: Tx, tenantId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('secrets:' || $1, 0))`, [tenantId]);
}

/** The newest first. */
export function tenantKeyList(tx: Tx, tenantId: string): Promise<TenantKeyRow[]> {
  return tx.query(
    `select id, tenant_id as "tenantId", sealed from secrets.tenant_key where tenant_id = $1 order by created_at desc, id desc`,
    [tenantId],
  );
}

/** Newer than every other of the tenant, whatever the clock says. */
export async function tenantKeyInsert(tx: Tx, key: TenantKeyRow & { keyId: Buffer }): Promise<void> {
  await tx.execute(
    `insert into secrets.tenant_key (id, tenant_id, sealed, key_id, created_at)
     select $1, $2, $3, $4, greatest(now(), (select max(created_at) + interval '1 microsecond' from secrets.tenant_key where tenant_id = $2))`,
    [key.id, key.tenantId, key.sealed, key.keyId],
  );
}

/** Keys that another master key than the one with `keyId` sealed, behind the id `after`. */
export function tenantKeyListSealedByOthers(
  tx: Tx,
  { keyId, after, limit }: { keyId: Buffer; after: string; limit: number },
): Promise<TenantKeyRow[]> {
  return tx.query(
    `select id, tenant_id as "tenantId", sealed from secrets.tenant_key
      where id > $1 and substring(sealed from 2 for 4) <> $2 order by id limit $3`,
    [after, keyId, limit],
  );
}

/** Resolves with how many. */
export function tenantKeyReseal(tx: Tx, keys: readonly Pick<TenantKeyRow, "id" | "sealed">[]): Promise<number> {
  return tx.execute(
    `update secrets.tenant_key k set sealed = r.sealed from unnest($1::uuid[], $2::bytea[]) as r (id, sealed) where k.id = r.id`,
    [keys.map(({ id }) => id), keys.map(({ sealed }) => sealed)],
  );
}

/** Deletes data keys that sealed nothing that is kept, an hour after another one took their place. */
export function tenantKeyPurge(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from secrets.tenant_key where id in (
       select old.id from secrets.tenant_key old
        where exists (select from secrets.tenant_key newer where newer.tenant_id = old.tenant_id
                        and (newer.created_at, newer.id) > (old.created_at, old.id) and newer.created_at < now() - interval '1 hour')
          and not exists (select from secrets.secret s where s.tenant_id = old.tenant_id and s.key_id = old.key_id)
        limit $1 for update skip locked)`,
    [limit],
  );
}

export async function tenantKeyCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from secrets.tenant_key where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

/** Everything of the tenant, the data keys too: what they sealed cannot be read any more, wherever it is. */
export async function tenantShred(tx: Tx, tenantId: string): Promise<void> {
  await tx.execute(`delete from secrets.tenant_key where tenant_id = $1`, [tenantId]);
  await tx.execute(`delete from secrets.secret where tenant_id = $1`, [tenantId]);
}

export interface NewSecret {
  id: string;
  tenantId: string;
  name: string;
  sealed: Buffer;
  keyId: Buffer;
  hint: string;
}

/** Resolves with the version. */
export async function secretPut(tx: Tx, secret: NewSecret): Promise<number> {
  const rows = await tx.query<{ version: number }>(
    `insert into secrets.secret (id, tenant_id, name, sealed, key_id, hint) values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant_id, name) do update
       set sealed = excluded.sealed, key_id = excluded.key_id, hint = excluded.hint, version = secret.version + 1, updated_at = now(), last_used_at = null
     returning version`,
    [secret.id, secret.tenantId, secret.name, secret.sealed, secret.keyId, secret.hint],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("an insert answered no row");
  return row.version;
}

export async function secretCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from secrets.secret where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

export interface ListedSecretRow {
  name: string;
  hint: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  lastUsedAt: Date | null;
}

/** By name; nothing of the secrets themselves. */
export function secretList(scope: TenantScope): Promise<ListedSecretRow[]> {
  return tenantQuery(
    scope,
    `select name, hint, version, created_at as "createdAt", updated_at as "updatedAt", last_used_at as "lastUsedAt"
       from secrets.secret where tenant_id = $1 order by name`,
    [scope.tenantId],
  );
}

export async function secretFind(
  tx: Tx,
  tenantId: string,
  name: string,
): Promise<{ sealed: Buffer; isUseDue: boolean } | undefined> {
  const rows = await tx.query<{ sealed: Buffer; isUseDue: boolean }>(
    `select sealed, coalesce(last_used_at < now() - interval '1 hour', true) as "isUseDue"
       from secrets.secret where tenant_id = $1 and name = $2`,
    [tenantId, name],
  );
  return rows[0];
}

export async function secretUsed(tx: Tx, tenantId: string, name: string): Promise<void> {
  await tx.execute(`update secrets.secret set last_used_at = now() where tenant_id = $1 and name = $2`, [
    tenantId,
    name,
  ]);
}

/** False when there is none. */
export async function secretDelete(tx: Tx, tenantId: string, name: string): Promise<boolean> {
  return (await tx.execute(`delete from secrets.secret where tenant_id = $1 and name = $2`, [tenantId, name])) === 1;
}

/** Which of these names the tenant has stored a secret under. */
export async function secretNamesAmong(scope: TenantScope, names: readonly string[]): Promise<string[]> {
  const rows = await tenantQuery<{ name: string }>(
    scope,
    `select name from secrets.secret where tenant_id = $1 and name = any($2::text[]) limit 200`,
    [scope.tenantId, names],
  );
  return rows.map(({ name }) => name);
}

export function secretListSealedByOthers(
  tx: Tx,
  tenantId: string,
  keyId: Buffer,
): Promise<{ name: string; sealed: Buffer }[]> {
  return tx.query(`select name, sealed from secrets.secret where tenant_id = $1 and key_id <> $2 for update`, [
    tenantId,
    keyId,
  ]);
}

export interface Resealed {
  tenantId: string;
  keyId: Buffer;
  secrets: readonly { name: string; sealed: Buffer }[];
}

export async function secretReseal(tx: Tx, { tenantId, keyId, secrets }: Resealed): Promise<void> {
  await tx.execute(
    `update secrets.secret s set sealed = r.sealed, key_id = $2
       from unnest($3::text[], $4::bytea[]) as r (name, sealed) where s.tenant_id = $1 and s.name = r.name`,
    [tenantId, keyId, secrets.map(({ name }) => name), secrets.map(({ sealed }) => sealed)],
  );
}

/** How many data keys each master key has sealed; reads all of them, once a start. */
export function tenantKeySealedCount(): Promise<SealedRows[]> {
  return systemQuery<SealedRows>(
    "count-sealed-rows",
    `select 'data keys of organisations' as what, encode(substring(sealed from 2 for 4), 'hex') as "keyId", count(*) as rows
       from secrets.tenant_key group by 2 order by 2 limit 100`,
    [],
    { statementTimeoutMs: 60_000 },
  );
}

declareExport("secrets", {
  exported: [
    {
      name: "secrets.secret",
      order: { name: "text" },
      columns: ["name", "version", "created_at", "updated_at", "last_used_at"],
      omitted: {
        id: "nothing names it",
        sealed: "the secret",
        key_id: "which key sealed it",
        hint: "characters of the secret",
      },
    },
  ],
  left: { "secrets.tenant_key": "the keys that seal the organisation's secrets" },
});
