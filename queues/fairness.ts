// Fairness between tenants. BullMQ's open edition has no groups but has priorities (lower first), so a job's
// priority is its start tag in virtual time: a tenant's jobs take consecutive tags, and a tenant that was
// quiet starts at the tag now being served, before those that share it (hence two priorities a tag). Ten thousand jobs of one
// tenant then delay another's first job by none: it is the head of the queue, which a slot is kept for (kept-slot.ts).
// A job of high priority passes what its own tenant has waiting, never another's turn.
// A turn is weighed by time: jobs of a tenant whose runs take ten times as long as another's cost ten tags each (run-times.ts).
// Source: Goyal, Vin, Cheng, "Start-time Fair Queuing" (SIGCOMM 1996), a job's length being its tenant's average so far.
//
// The clock never runs backwards: a job that is tried again, or was delayed, keeps its old tag, comes to the head with it
// and is served before all others, but those who come new still begin where the clock stood. When nothing waits, it moves
// to the last tag given. BullMQ's priorities end at two million, so once the clock has passed half of its million tags it starts again
// at zero when nothing runs and no waiting or delayed job has a tag; past three quarters, whatever runs. A queue in which something
// waits for all of a million turns goes on to the last priority; jobs that share it are served as they came, until it is empty.
import { withSystem } from "../db/tenant";
import type { BullQueue } from "./bull";
import { clockAdvance, turnAdvance, turnForget, turnReset, type Turn } from "./store/tenant-turn";

/** BullMQ's highest. */
const MAX_PRIORITY = 2_097_151;
/** The odd one of a tag's two priorities is for tenants that were quiet, and for jobs of high priority. */
const PRIORITIES_PER_TAG = 2;
const MAX_TAG = Math.floor(MAX_PRIORITY / PRIORITIES_PER_TAG);
const tagOf = (priority: number): number => Math.ceil(priority / PRIORITIES_PER_TAG);
/** Turn of the jobs that belong to no tenant. */
const NO_TENANT = "00000000-0000-0000-0000-000000000000";
/** Jobs that wait for their time are looked through before the clock starts again; with more it goes on. */
const DELAYED_LOOK = 100;

/** So many times the clock at which it starts again, it does so whatever runs: in a queue that never rests all order would be lost at the end. */
const RESTART_OVERDUE = 1.5;

/** Tenants forgotten by one hand-over at most: more than it can bring new ones. */
const FORGET_MAX = 500;

export interface FairnessSettings {
  /** Places of the jobs that pass what their own tenant has waiting. */
  high?: ReadonlySet<number>;
  /** Where the clock starts again, if it can. */
  restartAt?: number;
  forgetMax?: number;
}

/** One priority for each of `tenantIds`, the tenants of new jobs in their order. */
export async function takeTurns(
  queue: BullQueue,
  tenantIds: readonly (string | null)[],
  { high = new Set(), restartAt = MAX_TAG / 2, forgetMax = FORGET_MAX }: FairnessSettings = {},
): Promise<number[]> {
  const [head] = await queue.getJobs(["prioritized"], 0, 0, true);
  const jobs = tenantIds.map((id, index) => ({ tenantId: id ?? NO_TENANT, isHigh: high.has(index) }));
  const highJobs = jobs.filter(({ isHigh }) => isHigh);
  const advance = (headTag: number | null, restarts: boolean): Promise<Advance> =>
    withSystem("queue-turns", async (tx) => {
      if (restarts) for (const account of [queue.name, highOf(queue)]) await turnReset(tx, account);
      const now = await clockAdvance(tx, queue.name, headTag);
      const turnsOf = async (account: string, of: readonly Job[]): Promise<Turn[]> => {
        const turns = await turnAdvance(tx, account, now, countByTenant(of));
        await turnForget(tx, account, now, forgetMax);
        return turns;
      };
      // A job of high priority costs its tenant a turn like any other.
      const turns = await turnsOf(queue.name, jobs);
      return { now, turns, highTurns: highJobs.length > 0 ? await turnsOf(highOf(queue), highJobs) : [] };
    });
  let at = await advance(head === undefined ? null : Math.max(0, tagOf(head.priority ?? 1) - 1), false);
  if (at.now >= restartAt && (await hasNoTags(queue, at.now < RESTART_OVERDUE * restartAt)))
    at = await advance(0, true);
  const tags = firstTags(at.turns, jobs);
  const highTags = firstTags(at.highTurns, highJobs);
  return jobs.map(({ tenantId, isHigh }) =>
    isHigh ? priorityOf(nextTag(highTags, tenantId), true) : normalPriority(nextTag(tags, tenantId), at.now),
  );
}

interface Job {
  tenantId: string;
  isHigh: boolean;
}

interface Advance {
  /** The clock. */
  now: number;
  turns: Turn[];
  highTurns: Turn[];
}

/** Where each tenant's jobs of high priority stand: in a line of their own, on the same clock. */
const highOf = (queue: BullQueue): string => `${queue.name}!`;

/** @param isPatient whether what runs counts too: it may fail, and comes back with its tag */
async function hasNoTags(queue: BullQueue, isPatient: boolean): Promise<boolean> {
  const { prioritized = 0, active = 0, delayed = 0 } = await queue.getJobCounts("prioritized", "active", "delayed");
  if (prioritized > 0 || (isPatient && active > 0) || delayed > DELAYED_LOOK) return false;
  const jobs = await queue.getJobs(["delayed"], 0, DELAYED_LOOK, true);
  return jobs.every((job) => !job.priority);
}

function countByTenant(jobs: readonly Job[]): { tenantId: string; jobs: number }[] {
  const counts = new Map<string, number>();
  for (const { tenantId } of jobs) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
  return [...counts].map(([tenantId, count]) => ({ tenantId, jobs: count }));
}

interface Tags {
  next: number;
  cost: number;
}

/** The first of the tags that end with a tenant's finish tag, one for each of its jobs. */
function firstTags(turns: readonly Turn[], jobs: readonly Job[]): Map<string, Tags> {
  const counts = new Map(countByTenant(jobs).map(({ tenantId, jobs: count }) => [tenantId, count]));
  return new Map(
    turns.map(({ tenantId, finishTag, cost }) => {
      const before = finishTag - (counts.get(tenantId) ?? 1) * cost;
      return [tenantId, { next: before + 1, cost }];
    }),
  );
}

/** A job begins at its tag; what it costs is between it and the next. */
function nextTag(tags: Map<string, Tags>, tenantId: string): number {
  const { next, cost } = tags.get(tenantId) ?? { next: 1, cost: 1 };
  tags.set(tenantId, { next: next + cost, cost });
  return next;
}

function priorityOf(tag: number, isFirst: boolean): number {
  const priority = Math.min(Math.max(tag, 1), MAX_TAG) * PRIORITIES_PER_TAG;
  return isFirst ? priority - 1 : priority;
}

/** A tenant whose first turn is the one that comes next had nothing waiting. */
const normalPriority = (tag: number, now: number): number => priorityOf(tag, tag === now + 1);
