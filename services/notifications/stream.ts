// Following one's inbox as server-sent events: `notification` for each entry, in the order in which the inbox grows, and `badge` with
// how many are not read, at once and after each change. An entry's number is the event's id, whichever replica is asked.
import type { Writable } from "node:stream";
import type { Reading } from "../../db/acting";
import { eventText, Following } from "../../security/event-stream";
import type { Principal } from "../../security/principal";
import { shownNotification } from "./shown-notification";
import { headVersions, inboxListAfter, inboxUnread } from "./store/inbox";

const ENTRIES = 100;

interface Inbox {
  tenantId: string;
  userId: string;
}

const keyOf = ({ tenantId, userId }: Inbox): string => `${tenantId} ${userId}`;

const following = new Following<Inbox>({
  room: "notifications",
  streams: "inbox streams",
  keyOf,
  versionsOf: async (inboxes) => new Map((await headVersions(inboxes)).map((row) => [keyOf(row), row.version])),
});

/** @throws APIError rate_limited, for a caller with too many streams */
export const admitFollower = ({ subjectId }: Principal): (() => void) => following.admit(subjectId);

/** Resolves when the reader has left or was put out, or the process drains. `after`: the number of the entry that the reader has. */
export function followInbox(
  principal: Principal,
  { after, reading }: { after: number; reading: Reading },
  to: Writable,
): Promise<void> {
  const { tenantId, subjectId: userId } = principal;
  let seq = after;
  let unread = -1;
  return following.follow({ tenantId, userId }, reading, to, async () => {
    const entries = await inboxListAfter(principal, userId, seq, ENTRIES);
    const texts = entries.map((entry) => eventText("notification", entry.seq, shownNotification(entry)));
    seq = entries.at(-1)?.seq ?? seq;
    const counted = await inboxUnread(principal, userId);
    if (counted !== unread) texts.push(eventText("badge", seq, { unread: counted }));
    unread = counted;
    return { texts, then: entries.length === ENTRIES ? "more" : "change" };
  });
}
