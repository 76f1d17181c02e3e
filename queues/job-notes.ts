// What workers note on a job for whoever takes it next, each under a name of its own: where it stands apart from its data, which
// whoever cancels it writes.
import { z } from "zod";
import type { TakenJob } from "./bull";

/** Beside the notes that are there. Rejects when the storage is away. */
export function noteOn(bullJob: TakenJob, note: object): Promise<void> {
  const before = typeof bullJob.progress === "object" ? bullJob.progress : {};
  return bullJob.updateProgress({ ...before, ...note });
}

const unasked = z.object({ unasked: z.number() });

/** How often it was put back because nobody could say whether it may begin. */
export function timesUnasked({ progress }: TakenJob): number {
  const noted = unasked.safeParse(progress);
  return noted.success ? noted.data.unasked : 0;
}

/** Where it cannot be written, that time counts as one at which the job began. */
export const noteUnasked = (bullJob: TakenJob): Promise<void> =>
  noteOn(bullJob, { unasked: timesUnasked(bullJob) + 1 }).catch(() => undefined);
