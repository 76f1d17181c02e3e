// The SQL of files and what they are made of: one statement a function. Whoever changes something calls usageLock first, so
// that of one organisation one change comes after the other.
import {
  beforeCursor,
  cursorMicros,
  cursorParams,
  pageOf,
  type Cursor,
  type CursorRow,
  type Page,
} from "../../../db/cursor";
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";

export type AssetStatus = "pending" | "ready" | "failed" | "stored";

export interface AssetRow {
  id: string;
  name: string;
  version: number;
  status: AssetStatus;
  /** Why it failed, in one lower_snake word. */
  reason: string | null;
  documentId: string | null;
}

/** What people see of a file. */
export interface ShownAsset extends AssetRow {
  mediaType: string;
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  createdAt: Date;
  updatedAt: Date;
}

/** Where the bytes of one version are. */
export interface AssetContent {
  contentId: string;
  version: number;
  name: string;
  mediaType: string;
  bytes: number;
  sha256: string;
}

const ASSET_COLUMNS = `a.id, a.name, a.version, a.status, a.reason, a.document_id as "documentId"`;
const SHOWN_COLUMNS = `${ASSET_COLUMNS}, a.created_at as "createdAt", a.updated_at as "updatedAt",
  v.media_type as "mediaType", c.bytes::float8 as bytes, encode(c.sha256, 'hex') as sha256`;
const WITH_VERSION = `join assets.version v on v.tenant_id = a.tenant_id and v.asset_id = a.id
  join assets.content c on c.tenant_id = v.tenant_id and c.id = v.content_id`;

export interface Usage {
  files: number;
  bytes: number;
}

/** What the tenant has; no other change of its files comes in before the transaction ends. */
export async function usageLock(tx: Tx, tenantId: string): Promise<Usage> {
  const rows = await tx.query<Usage>(
    `insert into assets.usage (tenant_id) values ($1)
     on conflict (tenant_id) do update set files = usage.files
     returning files, bytes::float8 as bytes`,
    [tenantId],
  );
  return rows[0] ?? { files: 0, bytes: 0 };
}

/** What the tenant has at this moment, which the next one may change. */
export async function usageFind(scope: TenantScope): Promise<Usage> {
  const rows = await tenantQuery<Usage>(
    scope,
    `select files, bytes::float8 as bytes from assets.usage where tenant_id = $1`,
    [scope.tenantId],
  );
  return rows[0] ?? { files: 0, bytes: 0 };
}

/** Adds to a locked row, or takes off. */
export function usageAdd(tx: Tx, tenantId: string, { files, bytes }: Usage): void {
  tx.executeLater(`update assets.usage set files = files + $2, bytes = bytes + $3 where tenant_id = $1`, [
    tenantId,
    files,
    bytes,
  ]);
}

/** A file of the tenant with its present version. */
export async function assetFind(scope: TenantScope, id: string): Promise<ShownAsset | undefined> {
  const rows = await tenantQuery<ShownAsset>(
    scope,
    `select ${SHOWN_COLUMNS} from assets.asset a ${WITH_VERSION} and v.version = a.version
     where a.tenant_id = $1 and a.id = $2`,
    [scope.tenantId, id],
  );
  return rows[0];
}

/** Where a version's bytes are; of the present one if none is named. */
export async function contentOfVersion(
  scope: TenantScope,
  id: string,
  version: number | undefined,
): Promise<AssetContent | undefined> {
  const rows = await tenantQuery<AssetContent>(
    scope,
    `select c.id as "contentId", v.version, a.name, v.media_type as "mediaType", c.bytes::float8 as bytes, encode(c.sha256, 'hex') as sha256
     from assets.asset a ${WITH_VERSION} and v.version = coalesce($3::int, a.version)
     where a.tenant_id = $1 and a.id = $2`,
    [scope.tenantId, id, version ?? null],
  );
  return rows[0];
}

export interface VersionRow {
  version: number;
  mediaType: string;
  bytes: number;
  sha256: string;
  createdAt: Date;
}

/** A file's versions, the newest first, at most `limit`. */
export function versionList(scope: TenantScope, id: string, limit: number): Promise<VersionRow[]> {
  return tenantQuery<VersionRow>(
    scope,
    `select v.version, v.media_type as "mediaType", c.bytes::float8 as bytes, encode(c.sha256, 'hex') as sha256, v.created_at as "createdAt"
     from assets.version v join assets.content c on c.tenant_id = v.tenant_id and c.id = v.content_id
     where v.tenant_id = $1 and v.asset_id = $2 order by v.version desc limit $3`,
    [scope.tenantId, id, limit],
  );
}

export interface AssetFilter {
  name?: string | undefined;
  status?: AssetStatus | undefined;
}

/** Those of the tenant's files that fit the filter, the newest first, from the cursor on. */
export async function assetList(
  scope: TenantScope,
  { name, status }: AssetFilter,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<ShownAsset & CursorRow>> {
  const rows = await tenantQuery<ShownAsset & CursorRow>(
    scope,
    `select ${SHOWN_COLUMNS}, ${cursorMicros("a.created_at")} as "cursorMicros"
     from assets.asset a ${WITH_VERSION} and v.version = a.version
     where a.tenant_id = $1 and ($2::text is null or a.name = $2) and ($3::text is null or a.status = $3)
       and ${beforeCursor("a.created_at", "a.id", 4)}
     order by a.created_at desc, a.id desc limit $6`,
    [scope.tenantId, name ?? null, status ?? null, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}

/** The tenant's file of a name, with the hash of its present version. The tenant is locked. */
export async function assetFindByName(
  tx: Tx,
  tenantId: string,
  name: string,
): Promise<(AssetRow & { sha256: string; mediaType: string }) | undefined> {
  const rows = await tx.query<AssetRow & { sha256: string; mediaType: string }>(
    `select ${ASSET_COLUMNS}, encode(c.sha256, 'hex') as sha256, v.media_type as "mediaType"
     from assets.asset a ${WITH_VERSION} and v.version = a.version where a.tenant_id = $1 and a.name = $2`,
    [tenantId, name],
  );
  return rows[0];
}

/** The tenant's file. The tenant is locked. */
export async function assetFindLocked(tx: Tx, tenantId: string, id: string): Promise<AssetRow | undefined> {
  const rows = await tx.query<AssetRow>(
    `select ${ASSET_COLUMNS} from assets.asset a where a.tenant_id = $1 and a.id = $2`,
    [tenantId, id],
  );
  return rows[0];
}

export interface NewVersion {
  tenantId: string;
  id: string;
  name: string;
  version: number;
  status: AssetStatus;
  reason: string | null;
}

/** Makes a file, or gives it its next version. */
export async function assetPut(tx: Tx, { tenantId, id, name, version, status, reason }: NewVersion): Promise<void> {
  await tx.execute(
    `insert into assets.asset (id, tenant_id, name, version, status, reason) values ($1, $2, $3, $4, $5, $6)
     on conflict (id) do update set version = excluded.version, status = excluded.status, reason = excluded.reason, updated_at = now()`,
    [id, tenantId, name, version, status, reason],
  );
}

export async function versionInsert(
  tx: Tx,
  version: {
    tenantId: string;
    assetId: string;
    version: number;
    contentId: string;
    mediaType: string;
    createdBy: string;
  },
): Promise<void> {
  await tx.execute(
    `insert into assets.version (tenant_id, asset_id, version, content_id, media_type, created_by) values ($1, $2, $3, $4, $5, $6)`,
    [version.tenantId, version.assetId, version.version, version.contentId, version.mediaType, version.createdBy],
  );
}

/** What the tenant has of these bytes. The tenant is locked. */
export async function contentFindByHash(tx: Tx, tenantId: string, sha256: Buffer): Promise<{ id: string } | undefined> {
  const rows = await tx.query<{ id: string }>(`select id from assets.content where tenant_id = $1 and sha256 = $2`, [
    tenantId,
    sha256,
  ]);
  return rows[0];
}

export async function contentInsert(
  tx: Tx,
  content: { id: string; tenantId: string; sha256: Buffer; bytes: number; parts: number },
): Promise<void> {
  await tx.execute(`insert into assets.content (id, tenant_id, sha256, bytes, parts) values ($1, $2, $3, $4, $5)`, [
    content.id,
    content.tenantId,
    content.sha256,
    content.bytes,
    content.parts,
  ]);
}

/** Removes a file with its versions. The tenant is locked. Resolves with the contents that they had. */
export async function assetDelete(
  tx: Tx,
  tenantId: string,
  id: string,
): Promise<{ contentIds: string[]; versions: number }> {
  const gone = await tx.query<{ contentId: string }>(
    `delete from assets.version where tenant_id = $1 and asset_id = $2 returning content_id as "contentId"`,
    [tenantId, id],
  );
  await tx.execute(`delete from assets.asset where tenant_id = $1 and id = $2`, [tenantId, id]);
  return { contentIds: [...new Set(gone.map(({ contentId }) => contentId))], versions: gone.length };
}

export interface GoneContent {
  id: string;
  bytes: number;
  parts: number;
}

/**
 * Removes those of the contents that no version has any more. The tenant is locked. The versions are gathered once, whatever the planner
 * knows of tables that have just grown: it may not compare each content with each of them.
 */
export function contentDeleteUnused(tx: Tx, tenantId: string, ids: readonly string[]): Promise<GoneContent[]> {
  return tx.query<GoneContent>(
    `delete from assets.content c where c.tenant_id = $1 and c.id = any($2::uuid[])
       and c.id not in (select v.content_id from assets.version v where v.tenant_id = $1 and v.content_id = any($2::uuid[]))
     returning c.id, c.bytes::float8 as bytes, c.parts`,
    [tenantId, ids],
  );
}

/** What came of reading this version; false when the file is gone, has another version, or that was told before. */
export async function assetSettle(
  tx: Tx,
  settled: {
    tenantId: string;
    id: string;
    version: number;
    status: AssetStatus;
    reason: string | null;
    documentId: string | null;
  },
): Promise<boolean> {
  const changed = await tx.execute(
    `update assets.asset set status = $4, reason = $5, document_id = coalesce($6::uuid, document_id), updated_at = now()
     where tenant_id = $1 and id = $2 and version = $3 and status = 'pending'`,
    [settled.tenantId, settled.id, settled.version, settled.status, settled.reason, settled.documentId],
  );
  return changed === 1;
}
