// The SQL of endpoints: one statement a function.
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

export type Ordering = "none" | "aggregate";
export type DisabledReason = "by_hand" | "gone" | "failing";

export interface EndpointRow {
  id: string;
  url: string;
  description: string;
  /** None: all of them. */
  eventTypes: string[];
  ordering: Ordering;
  status: "active" | "disabled";
  disabledReason: DisabledReason | null;
  disabledAt: Date | null;
  failingSince: Date | null;
  previousUntil: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

const COLUMNS = `id, url, description, event_types as "eventTypes", ordering, status, disabled_reason as "disabledReason",
  disabled_at as "disabledAt", failing_since as "failingSince", created_at as "createdAt", updated_at as "updatedAt",
  case when previous_until > now() then previous_until end as "previousUntil"`;

/**
 * One at a time counts an organisation's endpoints, or decides what waits for what: what is counted stays true, and of two that end and
 * begin at once each sees the other. Whoever needs the lock of secrets too takes this one first.
 */
export async function tenantLock(tx: Tx, tenantId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('webhooks:' || $1, 0))`, [tenantId]);
}

export async function endpointCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from webhooks.endpoint where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

export interface NewEndpoint extends Pick<EndpointRow, "id" | "url" | "description" | "eventTypes" | "ordering"> {
  tenantId: string;
  createdBy: string;
}

export async function endpointInsert(tx: Tx, endpoint: NewEndpoint): Promise<EndpointRow> {
  const rows = await tx.query<EndpointRow>(
    `insert into webhooks.endpoint (id, tenant_id, url, description, event_types, ordering, created_by)
     values ($1, $2, $3, $4, $5::text[], $6, $7) returning ${COLUMNS}`,
    [
      ...[endpoint.id, endpoint.tenantId, endpoint.url, endpoint.description],
      ...[endpoint.eventTypes, endpoint.ordering, endpoint.createdBy],
    ],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("an insert answered no row");
  return row;
}

export async function endpointFind(scope: TenantScope, id: string): Promise<EndpointRow | undefined> {
  const rows = await tenantQuery<EndpointRow>(
    scope,
    `select ${COLUMNS} from webhooks.endpoint where tenant_id = $1 and id = $2`,
    [scope.tenantId, id],
  );
  return rows[0];
}

/** Undefined when there is none. */
export async function endpointOrdering(tx: Tx, tenantId: string, id: string): Promise<Ordering | undefined> {
  const rows = await tx.query<Pick<EndpointRow, "ordering">>(
    `select ordering from webhooks.endpoint where tenant_id = $1 and id = $2`,
    [tenantId, id],
  );
  return rows[0]?.ordering;
}

/** It stays as it is until the transaction ends. */
export async function endpointLock(tx: Tx, tenantId: string, id: string): Promise<EndpointRow | undefined> {
  const rows = await tx.query<EndpointRow>(
    `select ${COLUMNS} from webhooks.endpoint where tenant_id = $1 and id = $2 for update`,
    [tenantId, id],
  );
  return rows[0];
}

/** The newest first. */
export async function endpointList(
  scope: TenantScope,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<EndpointRow & CursorRow>> {
  const rows = await tenantQuery<EndpointRow & CursorRow>(
    scope,
    `select ${COLUMNS}, ${cursorMicros("created_at")} as "cursorMicros" from webhooks.endpoint
      where tenant_id = $1 and ${beforeCursor("created_at", "id", 2)} order by created_at desc, id desc limit $4`,
    [scope.tenantId, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}

export interface EndpointChange {
  url: string | null;
  description: string | null;
  eventTypes: string[] | null;
  ordering: Ordering | null;
  status: "active" | "disabled" | null;
}

/** What is null stays. Whoever enables it forgets what failed before; who disables it again leaves the first reason. */
export async function endpointUpdate(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
  { url, description, eventTypes, ordering, status }: EndpointChange,
): Promise<EndpointRow | undefined> {
  const rows = await tx.query<EndpointRow>(
    `update webhooks.endpoint set url = coalesce($3, url), description = coalesce($4, description),
       event_types = coalesce($5::text[], event_types), ordering = coalesce($6, ordering), status = coalesce($7, status), updated_at = now(),
       disabled_reason = case $7 when 'active' then null when 'disabled' then coalesce(disabled_reason, 'by_hand') else disabled_reason end,
       disabled_at = case $7 when 'active' then null when 'disabled' then coalesce(disabled_at, now()) else disabled_at end,
       failing_since = case $7 when 'active' then null else failing_since end,
       last_failed_at = case $7 when 'active' then null else last_failed_at end
     where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
    [tenantId, id, url, description, eventTypes, ordering, status],
  );
  return rows[0];
}

/** Until `hours` from now the keys before sign too; nought: they sign no more. */
export async function endpointRotate(tx: Tx, tenantId: string, id: string, hours: number): Promise<EndpointRow> {
  const rows = await tx.query<EndpointRow>(
    `update webhooks.endpoint set previous_until = now() + $3 * interval '1 hour', updated_at = now()
      where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
    [tenantId, id, hours],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the endpoint that is locked is gone");
  return row;
}

/** False when there is none. */
export async function endpointDelete(tx: Tx, tenantId: string, id: string): Promise<boolean> {
  return (await tx.execute(`delete from webhooks.endpoint where tenant_id = $1 and id = $2`, [tenantId, id])) === 1;
}

export type Recipient = Pick<EndpointRow, "id" | "ordering" | "status">;

/** Who gets events of this type; an organisation has `limit` endpoints at most. */
export function endpointListFor(tx: Tx, tenantId: string, eventType: string, limit: number): Promise<Recipient[]> {
  return tx.query(
    `select id, ordering, status from webhooks.endpoint
      where tenant_id = $1 and (event_types = '{}' or $2 = any(event_types)) order by id limit $3`,
    [tenantId, eventType, limit],
  );
}

/** It answered: whatever failed before is over. */
export function endpointSucceeded(tx: Tx, tenantId: string, id: string): void {
  tx.executeLater(
    `update webhooks.endpoint set failing_since = null, last_failed_at = null
      where tenant_id = $1 and id = $2 and failing_since is not null`,
    [tenantId, id],
  );
}

/** Notes a failure; resolves with whether it has failed for `days`, with never `quietHours` between one failure and the next. */
export async function endpointFailed(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
  { days, quietHours }: { days: number; quietHours: number },
): Promise<boolean> {
  const rows = await tx.query<{ isOver: boolean }>(
    `update webhooks.endpoint set last_failed_at = now(),
       failing_since = case when last_failed_at > now() - $3 * interval '1 hour' then coalesce(failing_since, now()) else now() end
     where tenant_id = $1 and id = $2 and status = 'active'
     returning failing_since <= now() - $4 * interval '1 day' as "isOver"`,
    [tenantId, id, quietHours, days],
  );
  return rows[0]?.isOver ?? false;
}

/** Undefined when it was disabled before, or is gone. */
export async function endpointDisable(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
  reason: DisabledReason,
): Promise<{ url: string } | undefined> {
  const rows = await tx.query<{ url: string }>(
    `update webhooks.endpoint set status = 'disabled', disabled_reason = $3, disabled_at = now(), updated_at = now()
      where tenant_id = $1 and id = $2 and status = 'active' returning url`,
    [tenantId, id, reason],
  );
  return rows[0];
}
