// The SQL of inboxes: what one person was shown.
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
import type { Content } from "../content";

export type Shelf = "inbox" | "unread" | "archived";

export interface InboxRow extends CursorRow {
  category: string;
  content: Content;
  /** Of its reader. */
  language: string;
  createdAt: Date;
  readAt: Date | null;
  archivedAt: Date | null;
}

const LANGUAGE = `coalesce(
  (select p.settings->>'language' from notifications.preference p where p.tenant_id = r.tenant_id and p.user_id = r.user_id),
  (select o.settings->>'language' from notifications.policy o where o.tenant_id = r.tenant_id), 'en')`;
const COLUMNS = `r.notification_id as id, n.category, n.content, ${LANGUAGE} as language, r.created_at as "createdAt", r.read_at as "readAt",
  r.archived_at as "archivedAt", ${cursorMicros("r.created_at")} as "cursorMicros"`;
const FROM = `notifications.recipient r join notifications.notification n on n.tenant_id = r.tenant_id and n.id = r.notification_id`;

/** What somebody was shown, the newest first. */
export async function inboxList(
  scope: TenantScope,
  userId: string,
  { shelf, limit, from }: { shelf: Shelf; limit: number; from: Cursor | undefined },
): Promise<Page<InboxRow>> {
  const rows = await tenantQuery<InboxRow>(
    scope,
    `select ${COLUMNS} from ${FROM}
      where r.tenant_id = $1 and r.user_id = $2 and r.is_shown
        and (r.archived_at is not null) = ($6 = 'archived') and (r.read_at is null or $6 <> 'unread')
        and ${beforeCursor("r.created_at", "r.notification_id", 3)}
      order by r.created_at desc, r.notification_id desc limit $5`,
    [scope.tenantId, userId, ...cursorParams(from), limit + 1, shelf],
  );
  return pageOf(rows, limit);
}

export const UNREAD_COUNTED_MAX = 1_000;

/** How many somebody has not read, counted to a thousand. */
export async function inboxUnread(scope: TenantScope, userId: string): Promise<number> {
  const rows = await tenantQuery<{ count: number }>(
    scope,
    `select count(*)::int as count from (
       select 1 from notifications.recipient
        where tenant_id = $1 and user_id = $2 and is_shown and read_at is null and archived_at is null
        limit ${UNREAD_COUNTED_MAX}) unread`,
    [scope.tenantId, userId],
  );
  return rows[0]?.count ?? 0;
}

/** The notification that somebody was shown as they see it now; undefined when there is none. */
export async function inboxFind(tx: Tx, tenantId: string, userId: string, id: string): Promise<InboxRow | undefined> {
  const rows = await tx.query<InboxRow>(
    `select ${COLUMNS} from ${FROM} where r.tenant_id = $1 and r.user_id = $2 and r.notification_id = $3 and r.is_shown`,
    [tenantId, userId, id],
  );
  return rows[0];
}

const MARK = `update notifications.recipient set`;
const OF_ONE = `where tenant_id = $1 and user_id = $2 and notification_id = $3 and is_shown`;

/** Keeps the moment at which it was read first. */
export async function inboxMarkRead(
  tx: Tx,
  tenantId: string,
  userId: string,
  id: string,
  isRead: boolean,
): Promise<void> {
  await tx.execute(`${MARK} read_at = case when $4 then coalesce(read_at, now()) end ${OF_ONE}`, [
    ...[tenantId, userId, id],
    isRead,
  ]);
  if (!isRead) return;
  await tx.execute(
    `update notifications.delivery set state = 'opened', updated_at = now()
      where tenant_id = $1 and user_id = $2 and notification_id = $3 and channel = 'in_app' and state = 'delivered'`,
    [tenantId, userId, id],
  );
}

export async function inboxArchive(
  tx: Tx,
  tenantId: string,
  userId: string,
  id: string,
  isArchived: boolean,
): Promise<void> {
  await tx.execute(`${MARK} archived_at = case when $4 then coalesce(archived_at, now()) end ${OF_ONE}`, [
    ...[tenantId, userId, id],
    isArchived,
  ]);
}

/** Gives each of these people's inboxes, in this order, its next number; nobody else gives one until the transaction ends. */
export async function headAdvance(
  tx: Tx,
  tenantId: string,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.query<{ userId: string; seq: number }>(
    `insert into notifications.inbox_head as h (tenant_id, user_id, seq, version)
     select $1, u, 1, 1 from unnest($2::uuid[]) with ordinality x (u, n) order by n
     on conflict (tenant_id, user_id) do update set seq = h.seq + 1, version = h.version + 1
     returning h.user_id as "userId", h.seq::float8 as seq`,
    [tenantId, userIds],
  );
  return new Map(rows.map(({ userId, seq }) => [userId, seq]));
}

/** Tells followers that something of the inbox is read or put away. */
export function headTouch(tx: Tx, tenantId: string, userId: string): void {
  tx.executeLater(
    `insert into notifications.inbox_head as h (tenant_id, user_id, version) values ($1, $2, 1)
     on conflict (tenant_id, user_id) do update set version = h.version + 1`,
    [tenantId, userId],
  );
}

/** The number of the newest entry. */
export async function headSeq(scope: TenantScope, userId: string): Promise<number> {
  const rows = await tenantQuery<{ seq: number }>(
    scope,
    `select seq::float8 as seq from notifications.inbox_head where tenant_id = $1 and user_id = $2`,
    [scope.tenantId, userId],
  );
  return rows[0]?.seq ?? 0;
}

interface HeadVersion {
  tenantId: string;
  userId: string;
  version: string;
}

/** Of people of any organisation; those whose inbox was always empty are missing. */
export function headVersions(people: readonly { tenantId: string; userId: string }[]): Promise<HeadVersion[]> {
  return systemQuery<HeadVersion>(
    "inbox-changes",
    `select h.tenant_id as "tenantId", h.user_id as "userId", h.version::text as version
       from unnest($1::uuid[], $2::uuid[]) x (tenant_id, user_id)
       join notifications.inbox_head h on h.tenant_id = x.tenant_id and h.user_id = x.user_id limit $3`,
    [people.map(({ tenantId }) => tenantId), people.map(({ userId }) => userId), people.length],
  );
}

/** What was added behind an entry, in the inbox's order. */
export function inboxListAfter(
  scope: TenantScope,
  userId: string,
  after: number,
  limit: number,
): Promise<(InboxRow & { seq: number })[]> {
  return tenantQuery<InboxRow & { seq: number }>(
    scope,
    `select ${COLUMNS}, r.seq::float8 as seq from ${FROM}
      where r.tenant_id = $1 and r.user_id = $2 and r.seq > $3 order by r.seq limit $4`,
    [scope.tenantId, userId, after, limit],
  );
}
