// Following one task as server-sent events: its present state at once and after each change, its lines in order. A line's place
// is the event's id; one that has seen the end is answered 204, which tells EventSource to stay away.
import type { Writable } from "node:stream";
import type { Reading } from "../db/acting";
import { systemQuery } from "../db/tenant";
import { eventText, Following } from "../security/event-stream";
import type { Principal } from "../security/principal";
import { TASKS_VERSIONS, taskFind, taskLogList, type TaskRow } from "./store/task";

const LINES = 100;

const following = new Following<string>({
  room: "queues",
  streams: "streams",
  keyOf: (id) => id,
  versionsOf: async (ids) => {
    const rows = await systemQuery<{ id: string; version: number; seq: number }>("task-changes", TASKS_VERSIONS, [ids]);
    return new Map(rows.map(({ id, version, seq }) => [id, `${version} ${seq}`]));
  },
});

/** @throws APIError rate_limited, for a caller with too many streams */
export const admitFollower = ({ kind, subjectId }: Principal): (() => void) => following.admit(`${kind}:${subjectId}`);

export interface FollowedTask {
  id: string;
  /** The line that the reader has. */
  after: number;
  reading: Reading;
}

/** Resolves when the task has ended and all is written, the reader has left or was put out, or the process drains. */
export function followTask(
  principal: Principal,
  { id, after, reading }: FollowedTask,
  to: Writable,
  show: (row: TaskRow) => unknown,
): Promise<void> {
  let version = -1;
  let seq = after;
  return following.follow(id, reading, to, async () => {
    const row = await taskFind(principal, id);
    if (row === undefined) return { texts: [], then: "end" };
    const lines = await taskLogList(principal, id, seq, LINES);
    seq = lines.at(-1)?.seq ?? seq;
    const texts = lines.map(({ seq: place, at, text }) => eventText("log", place, { at: at.toISOString(), text }));
    if (row.version !== version) texts.unshift(eventText("task", lines[0] ? lines[0].seq - 1 : seq, show(row)));
    version = row.version;
    return { texts, then: lines.length === LINES ? "more" : row.endedAt !== null ? "end" : "change" };
  });
}
