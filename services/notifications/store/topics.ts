// The SQL of topics: who is subscribed to what.
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

export const SUBSCRIBERS_MAX = 10_000;

/** How many a topic would have with these; nobody else changes it until the transaction ends. */
export async function subscriberAdd(
  tx: Tx,
  tenantId: string,
  topic: string,
  userIds: readonly string[],
): Promise<number> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('notifications.topic ' || $1 || ' ' || $2, 0))`, [
    tenantId,
    topic,
  ]);
  await tx.execute(
    `insert into notifications.topic_subscriber (tenant_id, topic, user_id)
     select $1, $2, u from unnest($3::uuid[]) u on conflict do nothing`,
    [tenantId, topic, userIds],
  );
  const rows = await tx.query<{ count: number }>(
    `select count(*)::int as count from notifications.topic_subscriber where tenant_id = $1 and topic = $2`,
    [tenantId, topic],
  );
  return rows[0]?.count ?? 0;
}

export async function subscriberRemove(
  tx: Tx,
  tenantId: string,
  topic: string,
  userIds: readonly string[],
): Promise<number> {
  return tx.execute(
    `delete from notifications.topic_subscriber where tenant_id = $1 and topic = $2 and user_id = any($3::uuid[])`,
    [tenantId, topic, userIds],
  );
}

export interface SubscriberRow extends CursorRow {
  createdAt: Date;
}

/** The newest first; `id` is the person's. */
export async function subscriberList(
  scope: TenantScope,
  topic: string,
  limit: number,
  from: Cursor | undefined,
): Promise<Page<SubscriberRow>> {
  const rows = await tenantQuery<SubscriberRow>(
    scope,
    `select user_id as id, created_at as "createdAt", ${cursorMicros("created_at")} as "cursorMicros"
       from notifications.topic_subscriber
      where tenant_id = $1 and topic = $2 and ${beforeCursor("created_at", "user_id", 3)}
      order by created_at desc, user_id desc limit $5`,
    [scope.tenantId, topic, ...cursorParams(from), limit + 1],
  );
  return pageOf(rows, limit);
}

/** Makes recipients of the topics' subscribers; resolves with how many these are. */
export function recipientInsertOfTopics(
  tx: Tx,
  tenantId: string,
  notificationId: string,
  topics: readonly string[],
): Promise<number> {
  return tx.execute(
    `insert into notifications.recipient (tenant_id, user_id, notification_id)
     select $1, user_id, $2 from notifications.topic_subscriber where tenant_id = $1 and topic = any($3::text[])
     on conflict do nothing`,
    [tenantId, notificationId, topics],
  );
}
