// The SQL of messages, their deliveries and the attempts at these: one statement a function.
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

export interface NewMessage {
  tenantId: string;
  id: string;
  eventType: string;
  aggregate: string;
  body: string;
}

/** Once, whoever gets it. */
export function messageInsert(tx: Tx, { tenantId, id, eventType, aggregate, body }: NewMessage): void {
  tx.executeLater(
    `insert into webhooks.message (tenant_id, id, event_type, aggregate, body) values ($1, $2, $3, $4, $5)
     on conflict do nothing`,
    [tenantId, id, eventType, aggregate, body],
  );
}

export type DeliveryState = "waiting" | "pending" | "delivered" | "failed" | "missed";

export interface NewDelivery {
  id: string;
  tenantId: string;
  endpointId: string;
  messageId: string;
  state: "pending" | "missed";
}

/** Where no order is kept. */
export function deliveryInsert(tx: Tx, { id, tenantId, endpointId, messageId, state }: NewDelivery): void {
  tx.executeLater(
    `insert into webhooks.delivery (id, tenant_id, endpoint_id, message_id, state, ended_at)
     values ($1, $2, $3, $4, $5, case when $5 = 'pending' then null else now() end)`,
    [id, tenantId, endpointId, messageId, state],
  );
}

/** One of an aggregate waits while another of it is not over. The tenant is locked. Resolves with its state. */
export async function deliveryInsertInOrder(
  tx: Tx,
  { id, tenantId, endpointId, messageId, state }: NewDelivery,
  aggregate: string,
): Promise<DeliveryState> {
  const rows = await tx.query<{ state: DeliveryState }>(
    `insert into webhooks.delivery (id, tenant_id, endpoint_id, message_id, state, aggregate, ended_at)
     select $1, $2, $3, $4, case when $5 = 'pending' and exists (
         select from webhooks.delivery before where before.tenant_id = $2 and before.endpoint_id = $3 and before.aggregate = $6 and before.ended_at is null)
       then 'waiting' else $5 end, $6, case when $5 = 'pending' then null else now() end
     returning state`,
    [id, tenantId, endpointId, messageId, state, aggregate],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("an insert answered no row");
  return row.state;
}

/** A delivery with what is sent and where to. */
export interface DueDelivery {
  id: string;
  state: DeliveryState;
  attempts: number;
  aggregate: string | null;
  messageId: string;
  eventType: string;
  body: string;
  endpointId: string;
  url: string;
  isActive: boolean;
}

const FIND_DUE = `select d.id, d.state, d.attempts, d.aggregate, d.message_id as "messageId", m.event_type as "eventType", m.body,
    e.id as "endpointId", e.url, e.status = 'active' as "isActive"
   from webhooks.delivery d
   join webhooks.message m on m.tenant_id = d.tenant_id and m.id = d.message_id
   join webhooks.endpoint e on e.tenant_id = d.tenant_id and e.id = d.endpoint_id
  where d.tenant_id = $1 and d.id = $2`;

/** Undefined when its endpoint is gone. */
export async function deliveryFind(scope: TenantScope, id: string): Promise<DueDelivery | undefined> {
  const rows = await tenantQuery<DueDelivery>(scope, FIND_DUE, [scope.tenantId, id]);
  return rows[0];
}

/** The same in a transaction. */
export async function deliveryFindIn(tx: Tx, tenantId: string, id: string): Promise<DueDelivery | undefined> {
  const rows = await tx.query<DueDelivery>(FIND_DUE, [tenantId, id]);
  return rows[0];
}

/** What was sent, as it is sent again. */
export interface SentMessage extends CursorRow {
  aggregate: string;
  eventType: string;
}

export interface SentFilter {
  endpointId: string;
  /** Null: those of the time. */
  messageId: string | null;
  from: string | null;
  until: string | null;
  /** Of the last delivery of each. */
  states: readonly DeliveryState[];
}

/** What this endpoint was to get, the oldest first, from behind the cursor on. */
export async function sentList(
  tx: Tx,
  { tenantId, limit }: { tenantId: string; limit: number },
  { endpointId, messageId, from, until, states }: SentFilter,
  cursor: Cursor | undefined,
): Promise<Page<SentMessage>> {
  const rows = await tx.query<SentMessage>(
    `select m.id, m.aggregate, m.event_type as "eventType", ${cursorMicros("m.created_at")} as "cursorMicros" from webhooks.message m
      where m.tenant_id = $1 and ($3::uuid is null or m.id = $3)
        and m.created_at >= coalesce($4::timestamptz, '-infinity') and m.created_at < coalesce($5::timestamptz, 'infinity')
        and (m.created_at, m.id) > (coalesce('epoch'::timestamptz + $7::bigint * interval '1 microsecond', '-infinity'), coalesce($8::uuid, '00000000-0000-0000-0000-000000000000'))
        and (select d.state from webhooks.delivery d where d.tenant_id = $1 and d.endpoint_id = $2 and d.message_id = m.id
              order by d.position desc limit 1) = any($6::text[])
      order by m.created_at, m.id limit $9`,
    [tenantId, endpointId, messageId, from, until, states, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}

/** Ends the attempt of this number; false when that is over, or its delivery is. */
export async function deliverySettle(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
  { number, state }: { number: number; state: Exclude<DeliveryState, "waiting"> },
): Promise<boolean> {
  const settled = await tx.execute(
    `update webhooks.delivery set state = $4, attempts = $3::int, ended_at = case when $4 = 'pending' then null else now() end
      where tenant_id = $1 and id = $2 and state = 'pending' and attempts = $3::int - 1`,
    [tenantId, id, number, state],
  );
  return settled === 1;
}

/** What there was no attempt at, because the endpoint is disabled; false when it is over. */
export async function deliveryMiss(tx: Tx, tenantId: string, id: string): Promise<boolean> {
  const missed = await tx.execute(
    `update webhooks.delivery set state = 'missed', ended_at = now() where tenant_id = $1 and id = $2 and state = 'pending'`,
    [tenantId, id],
  );
  return missed === 1;
}

/** The next of an aggregate has its turn; undefined when none waits. The tenant is locked. */
export async function deliveryRelease(
  tx: Tx,
  { tenantId, endpointId, aggregate }: { tenantId: string; endpointId: string; aggregate: string },
): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(
    `update webhooks.delivery set state = 'pending' where tenant_id = $1 and id = (
       select id from webhooks.delivery where tenant_id = $1 and endpoint_id = $2 and aggregate = $3 and ended_at is null
        order by position limit 1) and state = 'waiting'
     returning id`,
    [tenantId, endpointId, aggregate],
  );
  return rows[0]?.id;
}

export interface NewAttempt {
  id: string;
  tenantId: string;
  endpointId: string;
  deliveryId: string;
  messageId: string;
  eventType: string;
  number: number;
  outcome: "delivered" | "failed";
  httpStatus: number | null;
  error: string | null;
  response: string | null;
  durationMs: number;
  /** Until the next one; null when there is none. */
  nextInMs: number | null;
}

export function attemptInsert(tx: Tx, attempt: NewAttempt): void {
  tx.executeLater(
    `insert into webhooks.attempt (id, tenant_id, endpoint_id, delivery_id, message_id, event_type, number, outcome, http_status, error, response, duration_ms, next_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + $13::float8 * interval '1 millisecond')`,
    [
      ...[attempt.id, attempt.tenantId, attempt.endpointId, attempt.deliveryId, attempt.messageId, attempt.eventType],
      ...[attempt.number, attempt.outcome, attempt.httpStatus, attempt.error, attempt.response, attempt.durationMs],
      attempt.nextInMs,
    ],
  );
}

export interface AttemptRow {
  id: string;
  deliveryId: string;
  messageId: string;
  eventType: string;
  number: number;
  outcome: "delivered" | "failed";
  httpStatus: number | null;
  error: string | null;
  response: string | null;
  durationMs: number;
  nextAt: Date | null;
  createdAt: Date;
}

export interface AttemptFilter {
  endpointId: string;
  messageId?: string | undefined;
  outcome?: "delivered" | "failed" | undefined;
}

/** The newest first. */
export async function attemptList(
  scope: TenantScope,
  { endpointId, messageId, outcome }: AttemptFilter,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<AttemptRow & CursorRow>> {
  const rows = await tenantQuery<AttemptRow & CursorRow>(
    scope,
    `select id, delivery_id as "deliveryId", message_id as "messageId", event_type as "eventType", number, outcome, http_status as "httpStatus",
        error, response, duration_ms as "durationMs", next_at as "nextAt", created_at as "createdAt", ${cursorMicros("created_at")} as "cursorMicros"
       from webhooks.attempt
      where tenant_id = $1 and endpoint_id = $2 and ($3::uuid is null or message_id = $3) and ($4::text is null or outcome = $4)
        and ${beforeCursor("created_at", "id", 5)}
      order by created_at desc, id desc limit $7`,
    [scope.tenantId, endpointId, messageId ?? null, outcome ?? null, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}
