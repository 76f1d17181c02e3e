// Following one's inbox as server-sent events (WHATWG HTML §9.2): `notification` for each entry, in the order in which the inbox
// grows, and `badge` with how many are not read, at once and after each change. An entry's number is the event's id: who comes
// again with Last-Event-ID, at whichever replica, misses none and gets none twice. What a slow reader has not read yet is asked
// for when it reads: nothing is gathered for anybody, so a follower costs its connection alone.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Writable } from "node:stream";
import type { Reading } from "../../db/acting";
import { commonErrors } from "../../security/common-errors";
import type { Principal } from "../../security/principal";
import { writeToReader } from "../../security/slow-reader";
import { UnderWay } from "../../security/under-way";
import { logger } from "../../telemetry/logger";
import { isDraining } from "../../telemetry/shutdown";
import { shownNotification } from "./shown-notification";
import { headVersions, inboxListAfter, inboxUnread } from "./store/inbox";

const LOOK_MS = 400;
/** A comment in between keeps proxies from ending a quiet stream. */
const QUIET_MS = 15_000;
const ENTRIES = 100;
const STREAMS_OF_CALLER_MAX = 8;
const STREAMS_MAX = 2_000;

interface Follower {
  tenantId: string;
  userId: string;
  /** Resolves the wait for a change. */
  wake: () => void;
  seen: string;
}

/** The look at all streams belongs to no request. */
const outside = AsyncLocalStorage.snapshot();

const followers = new Set<Follower>();
const streams = new UnderWay({ ofOne: STREAMS_OF_CALLER_MAX, inAll: STREAMS_MAX });
let timer: NodeJS.Timeout | undefined;

/** @throws APIError rate_limited, for a caller with too many streams */
export function admitFollower({ subjectId }: Principal): () => void {
  const leave = streams.enter(subjectId);
  if (leave !== undefined) return leave;
  throw commonErrors.rate_limited({
    retryAfterSeconds: 5,
    internal: `too many inbox streams of ${subjectId}, or in all: ${streams.inAll}`,
  });
}

/** Resolves when the reader has left or was put out, or the process drains. `after`: the number of the entry that the reader has. */
export async function followInbox(
  principal: Principal,
  { after, reading }: { after: number; reading: Reading },
  to: Writable,
): Promise<void> {
  const { tenantId, subjectId: userId } = principal;
  const follower: Follower = { tenantId, userId, wake: () => undefined, seen: "" };
  followers.add(follower);
  const left = (): void => follower.wake();
  to.once("close", left);
  let seq = after;
  let unread = -1;
  try {
    while (!to.destroyed && !isDraining() && (await reading.mayGoOn())) {
      const changed = change(follower);
      const entries = await inboxListAfter(principal, userId, seq, ENTRIES);
      const texts = entries.map((entry) => eventText("notification", entry.seq, shownNotification(entry)));
      seq = entries.at(-1)?.seq ?? seq;
      const counted = await inboxUnread(principal, userId);
      if (counted !== unread) texts.push(eventText("badge", seq, { unread: counted }));
      unread = counted;
      if (texts.length > 0 && !(await writeToReader(to, texts.join("")))) return;
      if (entries.length === ENTRIES) continue;
      if ((await changed) === "quiet" && !(await writeToReader(to, ": \n\n"))) return;
    }
  } finally {
    followers.delete(follower);
    to.off("close", left);
  }
}

/** Also when the reader leaves. */
function change(follower: Follower): Promise<"changed" | "quiet"> {
  timer ??= outside(() => setTimeout(() => void look(), LOOK_MS).unref());
  return new Promise((resolve) => {
    const quiet = setTimeout(() => resolve("quiet"), QUIET_MS).unref();
    follower.wake = () => {
      clearTimeout(quiet);
      resolve("changed");
    };
  });
}

const keyOf = ({ tenantId, userId }: { tenantId: string; userId: string }): string => `${tenantId} ${userId}`;

/** One question for all streams of the process. */
async function look(): Promise<void> {
  try {
    const people = [...new Map([...followers].map((one) => [keyOf(one), one])).values()];
    const seen = new Map((await headVersions(people)).map((row) => [keyOf(row), row.version]));
    for (const follower of followers) {
      const now = seen.get(keyOf(follower)) ?? "none";
      if (now !== follower.seen || isDraining()) follower.wake();
      follower.seen = now;
    }
  } catch (error) {
    logger("notifications").warn({ err: error }, "whether followed inboxes have changed could not be asked");
  }
  timer = followers.size === 0 ? undefined : setTimeout(() => void look(), LOOK_MS).unref();
}

const eventText = (name: string, id: number, data: unknown): string =>
  `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
