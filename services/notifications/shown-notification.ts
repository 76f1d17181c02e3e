// A notification as its reader sees it: in lists and in the stream.
import type { InboxRow } from "./store/inbox";

export interface ShownNotification {
  id: string;
  category: string;
  title: string;
  body: string;
  url?: string;
  createdAt: string;
  readAt?: string;
  archivedAt?: string;
}

export const shownNotification = ({
  id,
  category,
  content,
  createdAt,
  readAt,
  archivedAt,
}: InboxRow): ShownNotification => ({
  ...{ id, category, title: content.title, body: content.body },
  ...(content.url === undefined ? {} : { url: content.url }),
  createdAt: createdAt.toISOString(),
  ...(readAt === null ? {} : { readAt: readAt.toISOString() }),
  ...(archivedAt === null ? {} : { archivedAt: archivedAt.toISOString() }),
});
