// Fairness between tenants. BullMQ's open edition has no groups but has priorities (lower first), so a job's
// priority is its start tag in virtual time: a tenant's jobs take consecutive tags, and a tenant that was
// quiet starts at the tag now being served. Ten thousand jobs of one tenant then delay another's first job
// by one job, not by ten thousand.
// Source: Goyal, Vin, Cheng, "Start-time Fair Queuing" (SIGCOMM 1996), every job of cost 1.
//
// The clock never runs backwards: a job that is tried again, or was delayed, keeps its old tag, comes to the head with it
// and is served before all others, but those who come new still begin where the clock stood. When nothing waits, it moves
// to the last tag given. BullMQ's priorities end at two million, so once the clock has passed half of them it starts again
// at zero when no waiting or delayed job has a tag. A queue that is not empty once in a million turns goes on to the
// last priority; jobs that share it are served as they came, until it is empty.
import { withSystem } from "../db/tenant";
import type { BullQueue } from "./bull";
import { clockAdvance, turnAdvance, turnForget, turnReset, type Turn } from "./store/tenant-turn";

/** BullMQ's highest. */
const MAX_PRIORITY = 2_097_151;
/** Turn of the jobs that belong to no tenant. */
const NO_TENANT = "00000000-0000-0000-0000-000000000000";
/** Jobs that wait for their time are looked through before the clock starts again; with more it goes on. */
const DELAYED_LOOK = 100;

/** Tenants forgotten by one hand-over at most: more than it can bring new ones. */
const FORGET_MAX = 500;

export interface FairnessSettings {
  /** Where the clock starts again, if it can. */
  restartAt?: number;
  forgetMax?: number;
}

/** One priority for each of `tenantIds`, the tenants of new jobs in their order. */
export async function takeTurns(
  queue: BullQueue,
  tenantIds: readonly (string | null)[],
  { restartAt = MAX_PRIORITY / 2, forgetMax = FORGET_MAX }: FairnessSettings = {},
): Promise<number[]> {
  const [head] = await queue.getJobs(["prioritized"], 0, 0, true);
  const tenants = countByTenant(tenantIds);
  const advance = (headTag: number | null, restarts: boolean): Promise<Advance> =>
    withSystem("queue-turns", async (tx) => {
      if (restarts) await turnReset(tx, queue.name);
      const now = await clockAdvance(tx, queue.name, headTag);
      const turns = await turnAdvance(tx, queue.name, now, tenants);
      await turnForget(tx, queue.name, now, forgetMax);
      return { now, turns };
    });
  let at = await advance(head === undefined ? null : Math.max(0, (head.priority ?? 1) - 1), false);
  if (at.now >= restartAt && (await hasNoTags(queue))) at = await advance(0, true);
  return startTags(tenantIds, new Map(at.turns.map((turn) => [turn.tenantId, turn.finishTag])));
}

interface Advance {
  /** The clock. */
  now: number;
  turns: Turn[];
}

async function hasNoTags(queue: BullQueue): Promise<boolean> {
  const { prioritized = 0, delayed = 0 } = await queue.getJobCounts("prioritized", "delayed");
  if (prioritized > 0 || delayed > DELAYED_LOOK) return false;
  const jobs = await queue.getJobs(["delayed"], 0, DELAYED_LOOK, true);
  return jobs.every((job) => !job.priority);
}

function countByTenant(tenantIds: readonly (string | null)[]): { tenantId: string; jobs: number }[] {
  const counts = new Map<string, number>();
  for (const id of tenantIds) counts.set(id ?? NO_TENANT, (counts.get(id ?? NO_TENANT) ?? 0) + 1);
  return [...counts].map(([tenantId, jobs]) => ({ tenantId, jobs }));
}

/** The tags up to and including a tenant's finish tag, given to its jobs in order. */
function startTags(tenantIds: readonly (string | null)[], finishTags: ReadonlyMap<string, number>): number[] {
  const next = new Map(
    countByTenant(tenantIds).map(({ tenantId, jobs }) => [tenantId, (finishTags.get(tenantId) ?? jobs) - jobs + 1]),
  );
  return tenantIds.map((id) => {
    const tag = next.get(id ?? NO_TENANT) ?? 1;
    next.set(id ?? NO_TENANT, tag + 1);
    return Math.min(Math.max(tag, 1), MAX_PRIORITY);
  });
}
