// Following one task as server-sent events (WHATWG HTML §9.2): its present state at once and after each change, its lines
// in order. A line's place is the event's id, so a client that comes again with Last-Event-ID misses none and gets none twice;
// one that has seen the end is answered 204, which tells EventSource to stay away. What a slow reader has not read yet
// is asked for when it reads: nothing is gathered for anybody.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Writable } from "node:stream";
import type { Reading } from "../db/acting";
import { systemQuery } from "../db/tenant";
import { commonErrors } from "../security/common-errors";
import type { Principal } from "../security/principal";
import { writeToReader } from "../security/slow-reader";
import { UnderWay } from "../security/under-way";
import { isDraining } from "../telemetry/shutdown";
import { logger } from "../telemetry/logger";
import { TASKS_VERSIONS, taskFind, taskLogList, type TaskRow } from "./store/task";

const LOOK_MS = 400;
/** A comment in between keeps proxies from ending a quiet stream. */
const QUIET_MS = 15_000;
const LINES = 100;
const STREAMS_OF_CALLER_MAX = 8;
const STREAMS_MAX = 2_000;

interface Follower {
  id: string;
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
export function admitFollower({ kind, subjectId }: Principal): () => void {
  const caller = `${kind}:${subjectId}`;
  const leave = streams.enter(caller);
  if (leave !== undefined) return leave;
  throw commonErrors.rate_limited({
    retryAfterSeconds: 5,
    internal: `too many streams of ${caller}, or in all: ${streams.inAll}`,
  });
}

export interface Following {
  id: string;
  /** The line that the reader has. */
  after: number;
  reading: Reading;
}

/** Resolves when the task has ended and all is written, the reader has left or was put out, or the process drains. */
export async function followTask(
  principal: Principal,
  { id, after, reading }: Following,
  to: Writable,
  show: (row: TaskRow) => unknown,
): Promise<void> {
  const follower: Follower = { id, wake: () => undefined, seen: "" };
  followers.add(follower);
  const left = (): void => follower.wake();
  to.once("close", left);
  let version = -1;
  let seq = after;
  try {
    while (!to.destroyed && !isDraining() && (await reading.mayGoOn())) {
      const changed = change(follower);
      const row = await taskFind(principal, id);
      if (row === undefined) return;
      const lines = await taskLogList(principal, id, seq, LINES);
      seq = lines.at(-1)?.seq ?? seq;
      const texts = lines.map(({ seq: place, at, text }) => eventText("log", place, { at: at.toISOString(), text }));
      if (row.version !== version) texts.unshift(eventText("task", lines[0] ? lines[0].seq - 1 : seq, show(row)));
      version = row.version;
      if (texts.length > 0 && !(await writeToReader(to, texts.join("")))) return;
      if (lines.length === LINES) continue;
      if (row.endedAt !== null) return;
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

/** One question for all streams of the process. */
async function look(): Promise<void> {
  try {
    const ids = [...new Set([...followers].map(({ id }) => id))];
    const rows = await systemQuery<{ id: string; version: number; seq: number }>("task-changes", TASKS_VERSIONS, [ids]);
    const seen = new Map(rows.map(({ id, version, seq }) => [id, `${version} ${seq}`]));
    for (const follower of followers) {
      const now = seen.get(follower.id) ?? "gone";
      if (now !== follower.seen || isDraining()) follower.wake();
      follower.seen = now;
    }
  } catch (error) {
    logger("queues").warn({ err: error }, "whether followed tasks have changed could not be asked");
  }
  timer = followers.size === 0 ? undefined : setTimeout(() => void look(), LOOK_MS).unref();
}

const eventText = (name: string, id: number, data: unknown): string =>
  `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
