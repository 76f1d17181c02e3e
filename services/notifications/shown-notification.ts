// A notification as its reader sees it: in lists and in the stream.
import { saidIn } from "./templates";
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

export function shownNotification(row: InboxRow): ShownNotification {
  const { id, category, createdAt, readAt, archivedAt } = row;
  const { title, body, url } = saidIn(row.content, row.language);
  return {
    ...{ id, category, title, body },
    ...(url === undefined ? {} : { url }),
    createdAt: createdAt.toISOString(),
    ...(readAt === null ? {} : { readAt: readAt.toISOString() }),
    ...(archivedAt === null ? {} : { archivedAt: archivedAt.toISOString() }),
  };
}
