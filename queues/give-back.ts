// A job whose payload another version of the app wrote and this one does not take: a kind of mail, say, that only the next version
// knows. For that version it is nothing wrong, so a worker gives it back instead of burying it: that is no attempt, and it
// comes again soon, to whichever process takes it first, and more seldom the older it grows. Not for ever: after a way back that
// lasts it becomes a dead letter, as does at once what the same version wrote and does not take.
// Whose version wrote it, a header tells: the digest of the schema that it was checked against when it was enqueued.
// Sidekiq and River leave this to their users ("deploy workers first"); Temporal routes by build id, which needs a registry of builds.
import { createHash } from "node:crypto";
import { z } from "zod";
import type { TakenJob } from "./bull";
import { openEnvelope } from "./envelope";
import type { JobDefinition } from "./job";
import { noteOn } from "./job-notes";

export const PAYLOAD_HEADER = "payload-schema";
/** As long as consumers wait for a version that handles an event. */
export const FOREIGN_PAYLOAD_HOURS = 12;

const HOUR_MS = 3_600_000;
const PAUSE_MS = { min: 1_000, max: 60_000 };
/** Part of the time since it was first given back that a job waits. */
const AGE_SHARE = 1 / 20;
/** Between two jobs that come again: many of them cost a process little. */
const SPACING_MS = 10;

const marks = new WeakMap<z.ZodType, string>();

/** What tells one payload's schema from another. Checks that JSON Schema has no words for are not in it. */
export function payloadMark({ payload }: Pick<JobDefinition, "payload">): string {
  let mark = marks.get(payload);
  if (mark === undefined) {
    const schema = z.toJSONSchema(payload, { io: "input", unrepresentable: "any" });
    mark = createHash("sha256").update(JSON.stringify(schema)).digest("hex").slice(0, 16);
    marks.set(payload, mark);
  }
  return mark;
}

/** For the headers of a job that is enqueued. */
export const payloadHeader = (job: Pick<JobDefinition, "payload">): Record<string, string> => ({
  [PAYLOAD_HEADER]: payloadMark(job),
});

const note = z.object({ givenBack: z.object({ times: z.number(), sinceMs: z.number() }) });

/** How often workers gave the job back that do not take its payload, and since when. */
function givenBack({ progress }: TakenJob, nowMs: number): { times: number; sinceMs: number } {
  const noted = note.safeParse(progress);
  return noted.success ? noted.data.givenBack : { times: 0, sinceMs: nowMs };
}

export const timesGivenBack = (bullJob: TakenJob): number => givenBack(bullJob, 0).times;

/** Whether a job whose payload does not fit is another version's, and one may still come that takes it. */
export function isForAnotherVersion(job: JobDefinition, bullJob: TakenJob, nowMs: number = Date.now()): boolean {
  const mark = openEnvelope(bullJob.data).headers[PAYLOAD_HEADER];
  if (mark === undefined || mark === payloadMark(job)) return false;
  return nowMs - givenBack(bullJob, nowMs).sinceMs < FOREIGN_PAYLOAD_HOURS * HOUR_MS;
}

/** When a job that is given back comes again. */
export class JobPace {
  private spacedUntilMs = -Infinity;

  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  /** A pause that grows with the time since it was first given back, and up to as much more; a hundred a second of a process at most. */
  nextDelayMs(ageMs: number): number {
    const now = this.nowMs();
    this.spacedUntilMs = Math.max(this.spacedUntilMs + SPACING_MS, now);
    const pauseMs = Math.max(PAUSE_MS.min, Math.min(PAUSE_MS.max, ageMs * AGE_SHARE));
    return Math.round(this.spacedUntilMs - now + pauseMs * (1 + this.random()));
  }
}

/** This process's. */
const pace = new JobPace();

/** Puts the job back for later. Rejects when its lock was lost, or the storage is away: it runs again when the lock ends. */
export async function giveBackForLater(bullJob: TakenJob, nowMs: number = Date.now()): Promise<void> {
  const { times, sinceMs } = givenBack(bullJob, nowMs);
  // First: whoever takes it next must know that it was taken in vain.
  await noteOn(bullJob, { givenBack: { times: times + 1, sinceMs } });
  await bullJob.moveToDelayed(nowMs + pace.nextDelayMs(nowMs - sinceMs), bullJob.token);
}
