// A job that was to be given up, and could not be, because the database was away: noted on the job, so that whoever takes it next gives it
// up and does not run it. How often BullMQ counts it as failed tells nothing of that: it counts its own failures too, also one to note
// that the handler has succeeded.
import { z } from "zod";
import type { TakenJob } from "./bull";
import { noteOn } from "./job-notes";

const note = z.object({
  givingUp: z.object({ reason: z.string(), error: z.string(), attempts: z.number(), times: z.number() }),
});

export type LeftOver = z.output<typeof note>["givingUp"];

export function leftOverOf({ progress }: TakenJob): LeftOver | undefined {
  const noted = note.safeParse(progress);
  return noted.success ? noted.data.givingUp : undefined;
}

/** Where the note cannot be written either, the handler runs again: that is what a crash here would do. */
export async function leaveOver(bullJob: TakenJob, givingUp: LeftOver): Promise<void> {
  await noteOn(bullJob, { givingUp }).catch(() => undefined);
}
