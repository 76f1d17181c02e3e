// The SQL of deliveries, which are the receipts: one statement a function.
import {
  cursorMicros,
  cursorParams,
  beforeCursor,
  pageOf,
  type Cursor,
  type CursorRow,
  type Page,
} from "../../../db/cursor";
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { Content } from "../content";
import type { Channel } from "../decision";
import type { Policy, Preferences } from "../settings";

export type DeliveryState = "held" | "queued" | "sent" | "delivered" | "opened" | "failed" | "withheld";

export interface NewDelivery {
  id: string;
  userId: string;
  channel: Channel;
  destination: string;
  state: DeliveryState;
  reason: string | null;
  heldUntil: Date | null;
  digestId: string | null;
}

/** Each way to somebody once: what is there already stays as it is. */
export function deliveryInsert(tx: Tx, tenantId: string, notificationId: string, added: readonly NewDelivery[]): void {
  tx.executeLater(
    `insert into notifications.delivery (tenant_id, notification_id, id, user_id, channel, destination, state, reason, held_until, digest_id)
     select $1, $2, * from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::uuid[])
     on conflict do nothing`,
    [
      tenantId,
      notificationId,
      added.map(({ id }) => id),
      added.map(({ userId }) => userId),
      added.map(({ channel }) => channel),
      added.map(({ destination }) => destination),
      added.map(({ state }) => state),
      added.map(({ reason }) => reason),
      added.map(({ heldUntil }) => heldUntil),
      added.map(({ digestId }) => digestId),
    ],
  );
}

/** Ends what was held of these people's: what becomes of it is written anew. */
export function deliveryDeleteHeld(tx: Tx, tenantId: string, notificationId: string, userIds: readonly string[]): void {
  tx.executeLater(
    `delete from notifications.delivery
      where tenant_id = $1 and notification_id = $2 and user_id = any($3::uuid[]) and state = 'held'`,
    [tenantId, notificationId, userIds],
  );
}

export interface DeliveryRow {
  notificationId: string;
  userId: string;
  channel: Channel;
  destination: string;
  state: DeliveryState;
  category: string;
  content: Content;
  policy: Policy | null;
  preferences: Preferences | null;
}

/** A delivery with all that sending it asks for. */
export async function deliveryFind(scope: TenantScope, id: string): Promise<DeliveryRow | undefined> {
  const rows = await tenantQuery<DeliveryRow>(
    scope,
    `select d.notification_id as "notificationId", d.user_id as "userId", d.channel, d.destination, d.state, n.category, n.content, o.settings as policy, p.settings as preferences
       from notifications.delivery d
       join notifications.notification n on n.tenant_id = d.tenant_id and n.id = d.notification_id
       left join notifications.policy o on o.tenant_id = d.tenant_id
       left join notifications.preference p on p.tenant_id = d.tenant_id and p.user_id = d.user_id
      where d.tenant_id = $1 and d.id = $2`,
    [scope.tenantId, id],
  );
  return rows[0];
}

const END = `update notifications.delivery set state = $3, reason = $4, updated_at = now()
  where tenant_id = $1 and id = $2 and state = 'queued'`;

/**
 * Queues one again that the queue gave up: its dead letter is redriven. What the other side refused for good stays refused.
 * False when it stays as it is.
 */
export async function deliveryReopen(scope: TenantScope, id: string): Promise<boolean> {
  const rows = await tenantQuery(
    scope,
    `update notifications.delivery set state = 'queued', reason = null, updated_at = now()
      where tenant_id = $1 and id = $2 and state = 'failed' and reason <> all($3::text[]) returning id`,
    [scope.tenantId, id, FINAL_FAILURES],
  );
  return rows.length > 0;
}

/** Of failures those that no other attempt mends. */
export const FINAL_FAILURES = ["refused", "gone", "address_refused", "key_gone"] as const;
export type FinalFailure = (typeof FINAL_FAILURES)[number];

type Outcome = { state: "sent" } | { state: "failed"; reason: FinalFailure } | { state: "withheld"; reason: string };

/** What became of one that was queued; nothing changes when that is known already. */
export async function deliveryEnd(scope: TenantScope, id: string, outcome: Outcome): Promise<void> {
  const { state, reason = null }: { state: string; reason?: string | null } = outcome;
  await tenantQuery(scope, END, [scope.tenantId, id, state, reason]);
}

/** The same in a transaction. */
export async function deliveryFail(tx: Tx, tenantId: string, id: string, reason: string): Promise<void> {
  await tx.execute(END, [tenantId, id, "failed", reason]);
}

export interface Receipt extends CursorRow {
  userId: string;
  channel: Channel;
  destination: string;
  state: DeliveryState;
  reason: string | null;
  heldUntil: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

/** What became of one notification, the newest first. */
export async function receiptList(
  scope: TenantScope,
  notificationId: string,
  limit: number,
  from: Cursor | undefined,
): Promise<Page<Receipt>> {
  const rows = await tenantQuery<Receipt>(
    scope,
    `select id, user_id as "userId", channel, destination, state, reason, held_until as "heldUntil",
            created_at as "createdAt", updated_at as "updatedAt", ${cursorMicros("created_at")} as "cursorMicros"
       from notifications.delivery
      where tenant_id = $1 and notification_id = $2 and ${beforeCursor("created_at", "id", 3)}
      order by created_at desc, id desc limit $5`,
    [scope.tenantId, notificationId, ...cursorParams(from), limit + 1],
  );
  return pageOf(rows, limit);
}

export interface ReceiptCount {
  channel: Channel;
  state: DeliveryState;
  count: number;
}

/** How many deliveries of it there are in each state. */
export async function receiptCounts(scope: TenantScope, notificationId: string): Promise<ReceiptCount[]> {
  return tenantQuery(
    scope,
    `select channel, state, count(*)::int as count from notifications.delivery
      where tenant_id = $1 and notification_id = $2 group by channel, state order by channel, state limit 28`,
    [scope.tenantId, notificationId],
  );
}

export const deliveryPurge = (tx: Tx, keepDays: number, limit: number): Promise<number> =>
  tx.execute(
    `delete from notifications.delivery where (tenant_id, id) in (
       select tenant_id, id from notifications.delivery
        where created_at < now() - $1 * interval '1 day' order by created_at limit $2 for update skip locked)`,
    [keepDays, limit],
  );
