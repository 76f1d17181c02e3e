// The SQL of what is sent and of whom it is for: one statement a function.
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { Content } from "../content";

export interface NewNotification {
  id: string;
  category: string;
  content: Content;
  sender: string;
  dedupeKey: string | undefined;
  recipients: number;
}

/** False when the sender has sent one with this key before. */
export async function notificationInsert(tx: Tx, tenantId: string, added: NewNotification): Promise<boolean> {
  const { id, category, content, sender, dedupeKey, recipients } = added;
  const inserted = await tx.execute(
    `insert into notifications.notification (tenant_id, id, category, content, sender, dedupe_key, recipients)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (tenant_id, sender, dedupe_key) where dedupe_key is not null do nothing`,
    [tenantId, id, category, JSON.stringify(content), sender, dedupeKey ?? null, recipients],
  );
  return inserted === 1;
}

/** The id of what the sender sent with this key. */
export async function notificationFindByKey(
  tx: Tx,
  tenantId: string,
  { sender, dedupeKey }: { sender: string; dedupeKey: string },
): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(
    `select id from notifications.notification where tenant_id = $1 and sender = $2 and dedupe_key = $3`,
    [tenantId, sender, dedupeKey],
  );
  return rows[0]?.id;
}

export interface NotificationRow {
  category: string;
  content: Content;
  /** The database's clock. */
  nowMs: number;
}

export async function notificationFind(tx: Tx, tenantId: string, id: string): Promise<NotificationRow | undefined> {
  const rows = await tx.query<NotificationRow>(
    `select category, content, floor(extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"
       from notifications.notification where tenant_id = $1 and id = $2`,
    [tenantId, id],
  );
  return rows[0];
}

/** Who sent it; undefined when there is none. */
export async function notificationSender(scope: TenantScope, id: string): Promise<string | undefined> {
  const rows = await tenantQuery<{ sender: string }>(
    scope,
    `select sender from notifications.notification where tenant_id = $1 and id = $2`,
    [scope.tenantId, id],
  );
  return rows[0]?.sender;
}

/** Those who are to get it, each once. */
export async function recipientInsert(
  tx: Tx,
  tenantId: string,
  notificationId: string,
  userIds: readonly string[],
): Promise<void> {
  await tx.execute(
    `insert into notifications.recipient (tenant_id, user_id, notification_id)
     select $1, u, $2 from unnest($3::uuid[]) u on conflict do nothing`,
    [tenantId, notificationId, userIds],
  );
}

/** Some of those about whom nothing is decided. */
export async function recipientListPending(
  scope: TenantScope,
  notificationId: string,
  limit: number,
): Promise<string[]> {
  const rows = await tenantQuery<{ userId: string }>(
    scope,
    `select user_id as "userId" from notifications.recipient
      where tenant_id = $1 and notification_id = $2 and state = 'pending' order by user_id limit $3`,
    [scope.tenantId, notificationId, limit],
  );
  return rows.map(({ userId }) => userId);
}

export interface Undecided {
  userId: string;
  isShown: boolean;
  /** Was held, until a moment that has come. */
  isDue: boolean;
}

/** Of these people those about whom something is still to be decided, in the order of their ids; nobody else decides about them until the transaction ends. */
export function recipientLock(
  tx: Tx,
  tenantId: string,
  notificationId: string,
  userIds: readonly string[],
): Promise<Undecided[]> {
  return tx.query<Undecided>(
    `select user_id as "userId", is_shown as "isShown", exists (
            select 1 from notifications.delivery d
             where d.tenant_id = $1 and d.notification_id = $2 and d.user_id = r.user_id and d.state = 'held'
               and d.held_until <= clock_timestamp()) as "isDue"
       from notifications.recipient r
      where tenant_id = $1 and notification_id = $2 and user_id = any($3::uuid[]) and state <> 'decided'
      order by user_id limit $4 for update`,
    [tenantId, notificationId, userIds, userIds.length],
  );
}

export interface RecipientChange {
  userId: string;
  state: "held" | "decided";
  isShown: boolean;
  /** Its number in the inbox, where it has a new one. */
  seq: number | null;
}

export function recipientUpdate(
  tx: Tx,
  tenantId: string,
  notificationId: string,
  changes: readonly RecipientChange[],
): void {
  tx.executeLater(
    `update notifications.recipient r set state = c.state, is_shown = c.is_shown, seq = coalesce(r.seq, c.seq)
       from unnest($3::uuid[], $4::text[], $5::boolean[], $6::bigint[]) c (user_id, state, is_shown, seq)
      where r.tenant_id = $1 and r.notification_id = $2 and r.user_id = c.user_id`,
    [
      tenantId,
      notificationId,
      changes.map(({ userId }) => userId),
      changes.map(({ state }) => state),
      changes.map(({ isShown }) => isShown),
      changes.map(({ seq }) => seq),
    ],
  );
}

export interface CountOfDay {
  userId: string;
  day: string;
}

/** How many of the category each of them got on a day of theirs; nobody else counts them until the transaction ends. In the order of `days`, which is that of the ids. */
export async function dailyCountLock(
  tx: Tx,
  tenantId: string,
  category: string,
  days: readonly CountOfDay[],
): Promise<Map<string, number>> {
  const rows = await tx.query<{ userId: string; count: number }>(
    `insert into notifications.daily_count as c (tenant_id, user_id, category, day)
     select $1, u, $2, d from unnest($3::uuid[], $4::date[]) with ordinality as x (u, d, n) order by n
     on conflict (tenant_id, user_id, category, day) do update set count = c.count
     returning c.user_id as "userId", c.count`,
    [tenantId, category, days.map(({ userId }) => userId), days.map(({ day }) => day)],
  );
  return new Map(rows.map(({ userId, count }) => [userId, count]));
}

/** Counts one more of each. Under dailyCountLock. */
export function dailyCountAdd(tx: Tx, tenantId: string, category: string, days: readonly CountOfDay[]): void {
  tx.executeLater(
    `update notifications.daily_count c set count = c.count + 1
       from unnest($3::uuid[], $4::date[]) x (user_id, day)
      where c.tenant_id = $1 and c.category = $2 and c.user_id = x.user_id and c.day = x.day`,
    [tenantId, category, days.map(({ userId }) => userId), days.map(({ day }) => day)],
  );
}

/** Removes what was sent, and to whom, longer ago than that; at most `limit`. */
export const notificationPurge = (tx: Tx, keepDays: number, limit: number): Promise<number> =>
  tx.execute(
    `delete from notifications.notification where (tenant_id, id) in (
       select tenant_id, id from notifications.notification
        where created_at < now() - $1 * interval '1 day' order by created_at limit $2 for update skip locked)`,
    [keepDays, limit],
  );

export const recipientPurge = (tx: Tx, keepDays: number, limit: number): Promise<number> =>
  tx.execute(
    `delete from notifications.recipient where (tenant_id, user_id, notification_id) in (
       select tenant_id, user_id, notification_id from notifications.recipient
        where created_at < now() - $1 * interval '1 day' order by created_at limit $2 for update skip locked)`,
    [keepDays, limit],
  );

/** Days that are over everywhere. */
export const dailyCountPurge = (tx: Tx, limit: number): Promise<number> =>
  tx.execute(
    `delete from notifications.daily_count where (tenant_id, user_id, category, day) in (
       select tenant_id, user_id, category, day from notifications.daily_count
        where day < current_date - 2 order by day limit $1 for update skip locked)`,
    [limit],
  );
