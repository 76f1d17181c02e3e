// The SQL of sources, and of what came from them: one statement a function.
import {
  beforeCursor,
  cursorMicros,
  cursorParams,
  pageOf,
  type Cursor,
  type CursorRow,
  type Page,
} from "../../../db/cursor";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { Scheme } from "../verifying";

export interface SourceRow {
  id: string;
  name: string;
  scheme: Scheme;
  previousUntil: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

const COLUMNS = `id, name, scheme, created_at as "createdAt", updated_at as "updatedAt",
  case when previous_until > now() then previous_until end as "previousUntil"`;

const one = (rows: readonly SourceRow[]): SourceRow => {
  const [row] = rows;
  if (row === undefined) throw new Error("a statement answered no row");
  return row;
};

export async function sourceCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from webhooks.source where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

export interface NewSource {
  id: string;
  tenantId: string;
  name: string;
  scheme: Scheme;
  createdBy: string;
}

export async function sourceInsert(tx: Tx, source: NewSource): Promise<SourceRow> {
  const { id, tenantId, name, scheme, createdBy } = source;
  return one(
    await tx.query<SourceRow>(
      `insert into webhooks.source (id, tenant_id, name, scheme, created_by) values ($1, $2, $3, $4, $5) returning ${COLUMNS}`,
      [id, tenantId, name, scheme, createdBy],
    ),
  );
}

/** The newest first. */
export async function sourceList(
  scope: TenantScope,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<SourceRow & CursorRow>> {
  const rows = await tenantQuery<SourceRow & CursorRow>(
    scope,
    `select ${COLUMNS}, ${cursorMicros("created_at")} as "cursorMicros" from webhooks.source
      where tenant_id = $1 and ${beforeCursor("created_at", "id", 2)} order by created_at desc, id desc limit $4`,
    [scope.tenantId, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}

export async function sourceFind(scope: TenantScope, id: string): Promise<SourceRow | undefined> {
  const rows = await tenantQuery<SourceRow>(
    scope,
    `select ${COLUMNS} from webhooks.source where tenant_id = $1 and id = $2`,
    [scope.tenantId, id],
  );
  return rows[0];
}

/** It stays as it is until the transaction ends. */
export async function sourceLock(tx: Tx, tenantId: string, id: string): Promise<SourceRow | undefined> {
  const rows = await tx.query<SourceRow>(
    `select ${COLUMNS} from webhooks.source where tenant_id = $1 and id = $2 for update`,
    [tenantId, id],
  );
  return rows[0];
}

/** What is null stays; of one that is locked. Until `overlapHours` from now the secret before is taken too. */
export async function sourceUpdate(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
  { name, overlapHours }: { name: string | null; overlapHours: number | null },
): Promise<SourceRow> {
  return one(
    await tx.query<SourceRow>(
      `update webhooks.source set name = coalesce($3, name), updated_at = now(),
         previous_until = case when $4::int is null then previous_until else now() + $4::int * interval '1 hour' end
       where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
      [tenantId, id, name, overlapHours],
    ),
  );
}

/** False when there is none. */
export async function sourceDelete(tx: Tx, tenantId: string, id: string): Promise<boolean> {
  return (await tx.execute(`delete from webhooks.source where tenant_id = $1 and id = $2`, [tenantId, id])) === 1;
}

export interface KnownSource extends Pick<SourceRow, "id" | "name" | "scheme"> {
  tenantId: string;
  /** Whether the secret before the present one is taken too. */
  isRotating: boolean;
}

/** Whose it is: whoever sends a webhook names the source alone. */
export async function sourceKnown(id: string): Promise<KnownSource | undefined> {
  const rows = await systemQuery<KnownSource>(
    "webhook-before-tenant-known",
    `select id, tenant_id as "tenantId", name, scheme, coalesce(previous_until > now(), false) as "isRotating"
       from webhooks.source where id = $1`,
    [id],
  );
  return rows[0];
}

/** False when what it is known by came before. Of two at once the second waits for the first. */
export async function receivedInsert(
  tx: Tx,
  { tenantId, sourceId, dedupeKey }: { tenantId: string; sourceId: string; dedupeKey: string },
): Promise<boolean> {
  const inserted = await tx.execute(
    `insert into webhooks.received (tenant_id, source_id, dedupe_key) values ($1, $2, $3) on conflict do nothing`,
    [tenantId, sourceId, dedupeKey],
  );
  return inserted === 1;
}
