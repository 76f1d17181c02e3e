// The inbox of who calls: what they were shown, read and put away.
import { api, type Query } from "encore.dev/api";
import type { Max, Min } from "encore.dev/validate";
import { parseCursor } from "../../../db/cursor";
import { isUuid } from "../../../db/ids";
import { withTenant, type Tx } from "../../../db/tenant";
import { currentPrincipal } from "../../../security/principal";
import { errors } from "../errors";
import { shownNotification } from "../shown-notification";
import { headTouch, inboxArchive, inboxFind, inboxList, inboxMarkRead, inboxUnread, type Shelf } from "../store/inbox";

interface ListNotificationsRequest {
  /** "inbox" if not given: what is not archived. */
  shelf?: Query<"inbox" | "unread" | "archived">;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface InboxNotification {
  id: string;
  category: string;
  title: string;
  body: string;
  url?: string;
  /** ISO 8601. */
  createdAt: string;
  readAt?: string;
  archivedAt?: string;
}

interface ListNotificationsResponse {
  notifications: InboxNotification[];
  /** How many are not read, for a badge; counted to a thousand. */
  unread: number;
  /** Absent on the last page. */
  next?: string;
}

/** Your notifications in this organisation, the newest first. */
export const list = api(
  { expose: true, auth: true, method: "GET", path: "/notifications", tags: ["can:notification.read"] },
  async ({ shelf = "inbox", limit, cursor }: ListNotificationsRequest): Promise<ListNotificationsResponse> => {
    const principal = currentPrincipal();
    const wanted = { shelf: shelf as Shelf, limit: Math.floor(limit ?? 50), from: parseCursor(cursor) };
    const { rows, next } = await inboxList(principal, principal.subjectId, wanted);
    const unread = await inboxUnread(principal, principal.subjectId);
    return { notifications: rows.map(shownNotification), unread, ...(next === undefined ? {} : { next }) };
  },
);

interface ReadRequest {
  id: string;
  /** false: it counts as not read again. */
  read?: boolean;
}

/** Marks one as read. */
export const markRead = api(
  { expose: true, auth: true, method: "POST", path: "/notifications/:id/read", tags: ["can:notification.read"] },
  ({ id, read = true }: ReadRequest): Promise<InboxNotification> =>
    change(id, (tx, { tenantId, userId }) => inboxMarkRead(tx, tenantId, userId, id, read)),
);

interface ArchiveRequest {
  id: string;
  /** false: it comes back to the inbox. */
  archived?: boolean;
}

/** Puts one away: it is no more in the inbox, and counts as not unread. */
export const archive = api(
  { expose: true, auth: true, method: "POST", path: "/notifications/:id/archive", tags: ["can:notification.read"] },
  ({ id, archived = true }: ArchiveRequest): Promise<InboxNotification> =>
    change(id, (tx, { tenantId, userId }) => inboxArchive(tx, tenantId, userId, id, archived)),
);

async function change(
  id: string,
  act: (tx: Tx, of: { tenantId: string; userId: string }) => Promise<void>,
): Promise<InboxNotification> {
  const principal = currentPrincipal();
  if (!isUuid(id)) throw errors.notification_not_found();
  const { tenantId, subjectId: userId } = principal;
  const row = await withTenant(principal, async (tx) => {
    await act(tx, { tenantId, userId });
    headTouch(tx, tenantId, userId);
    return inboxFind(tx, tenantId, userId, id);
  });
  if (row === undefined) throw errors.notification_not_found();
  return shownNotification(row);
}
