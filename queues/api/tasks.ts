// Tasks: the jobs of an organisation, how far they have come, what became of them; and calling one off.
import { currentRequest } from "encore.dev";
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { beginReading } from "../../db/acting";
import { parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { doEach } from "../../db/upkeep";
import { beginEventStream, placeIn } from "../../security/event-stream";
import { declareOwner, ownOnly } from "../../security/ownership";
import { actorOf, currentPrincipal, type Principal } from "../../security/principal";
import { cancelTask as callOff } from "../cancel";
import { errors } from "../errors";
import { healFlows } from "../flow";
import { taskActor, taskFind, taskList, taskLogList, type TaskRow } from "../store/task";
import { admitFollower, followTask } from "../task-stream";
import { healTasks, purgeTasks } from "../task-upkeep";

interface Task {
  id: string;
  /** "domain:action". */
  job: string;
  state: "waiting" | "running" | "completed" | "failed" | "canceled";
  /** From 0 to 1; 0 for a job that says nothing of it until it is completed. */
  progress: number;
  /** What its handler answered. */
  result?: unknown;
  /** Why it failed, in one lower_snake word. */
  error?: string;
  attempts: number;
  /** True while a cancellation has not reached it yet. */
  canceling: boolean;
  /** ISO 8601. */
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
}

function shown(row: TaskRow): Task {
  const { id, job, state, attempts, progress, result, reason, isCanceling, createdAt, startedAt, endedAt } = row;
  return {
    id,
    job,
    state,
    progress: progress ?? 0,
    attempts,
    canceling: isCanceling && endedAt === null,
    ...(result === null ? {} : { result }),
    ...(reason === null ? {} : { error: reason }),
    createdAt: createdAt.toISOString(),
    ...(startedAt === null ? {} : { startedAt: startedAt.toISOString() }),
    ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
  };
}

/** @throws APIError task_not_found, the same for another organisation's */
async function find(principal: Principal, id: string): Promise<TaskRow> {
  const row = isUuid(id) ? await taskFind(principal, id) : undefined;
  if (row === undefined) throw errors.task_not_found();
  return row;
}

interface ListTasksRequest {
  state?: Query<"waiting" | "running" | "completed" | "failed" | "canceled">;
  /** Only those of this job, "domain:action". */
  job?: Query<string & MaxLen<200>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListTasksResponse {
  tasks: Task[];
  /** Absent on the last page. */
  next?: string;
}

declareOwner("job", {
  ownerOf: (principal, id) => (isUuid(id) ? taskActor(principal, id) : Promise.resolve(undefined)),
  missing: () => errors.task_not_found(),
});

/** The caller's tasks, or those of the whole organisation for who manages them, the newest first; one that ended is kept for a week. */
export const listTasks = api(
  { expose: true, auth: true, method: "GET", path: "/tasks", tags: ["can:job.read"] },
  async ({ state, job, limit, cursor }: ListTasksRequest): Promise<ListTasksResponse> => {
    const from = parseCursor(cursor);
    const principal = currentPrincipal();
    const filter = { state, job, actor: ownOnly(principal, "job.manage") };
    const { rows, next } = await taskList(principal, filter, Math.floor(limit ?? 50), from);
    return { tasks: rows.map(shown), ...(next === undefined ? {} : { next }) };
  },
);

interface TaskLine {
  /** ISO 8601. */
  at: string;
  text: string;
}

interface TaskResponse extends Task {
  /** The first thousand lines of what it logged. */
  log: TaskLine[];
}

/** One task, with what it logged. */
export const getTask = api(
  { expose: true, auth: true, method: "GET", path: "/tasks/:id", tags: ["can:job.read", "owns:job"] },
  async ({ id }: { id: string }): Promise<TaskResponse> => {
    const principal = currentPrincipal();
    const row = await find(principal, id);
    const lines = await taskLogList(principal, id, 0, 1_000);
    return { ...shown(row), log: lines.map(({ at, text }) => ({ at: at.toISOString(), text })) };
  },
);

/** Calls a task off: one that waits does not run, one that runs is aborted within two seconds. */
export const cancelTask = api(
  { expose: true, auth: true, method: "POST", path: "/tasks/:id/cancel", tags: ["can:job.cancel", "owns:job"] },
  async ({ id }: { id: string }): Promise<Task> => {
    const principal = currentPrincipal();
    const known = await find(principal, id);
    const row = await callOff(principal, id);
    if (row !== undefined) return shown(row);
    if (known.state === "canceled") return shown(known);
    throw known.isKept ? errors.task_kept() : errors.task_ended();
  },
);

/** A stream is asked when it has something to tell, at most so often, or when it was quiet for a quarter of a minute. */
const ASK_AGAIN_MS = 5_000;

/** The last place that a line can have. */
const PLACE_MAX = 2 ** 31 - 1;

/**
 * Follows a task as server-sent events: `task` with its present state, at once and after each change, and `log` for each
 * line. Ends when the task has ended. Last-Event-ID goes on behind a line; 204 for who has seen the end.
 */
export const followTaskEvents = api.raw(
  { expose: true, auth: true, method: "GET", path: "/tasks/:id/events", tags: ["can:job.read", "owns:job"] },
  async (req, resp) => {
    const principal = currentPrincipal();
    const meta = currentRequest();
    const id = meta?.type === "api-call" ? String(meta.pathParams.id) : "";
    const after = placeIn(req.headers["last-event-id"], PLACE_MAX);
    // First of all: who is refused here asks nothing of the database.
    const leave = admitFollower(principal);
    try {
      const row = await find(principal, id);
      if (after !== undefined && row.endedAt !== null && (await taskLogList(principal, id, after, 1)).length === 0) {
        resp.statusCode = 204;
        resp.end();
        return;
      }
      // A colleague's task is followed by who manages them all, and as long as they do.
      const isOwn = (await taskActor(principal, id)) === actorOf(principal);
      const reading = await beginReading(principal, isOwn ? "job.read" : "job.manage", ASK_AGAIN_MS);
      beginEventStream(resp);
      await followTask(principal, { id, after: after ?? 0, reading }, resp, shown).finally(() => resp.end());
    } finally {
      leave();
    }
  },
);

export const purgeOldTasks = api(
  { expose: false, method: "POST", path: "/queues/purge-tasks" },
  async (): Promise<void> => {
    // First what asks nobody but this database.
    await doEach([purgeTasks, healTasks, healFlows]);
  },
);

// A run has five minutes: as often as that a row a job keeps pace with ten times what the pipeline writes.
export const purgeTasksOften = new CronJob("queues-purge-tasks", {
  title: "End tasks that nobody tells of, and delete those past their retention",
  every: "10m",
  endpoint: purgeOldTasks,
});
