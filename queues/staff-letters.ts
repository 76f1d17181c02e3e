// Dead letters of organisations' jobs, for the platform's staff (events/staff-letters.ts).
import { staffLetters } from "../events/staff-letters";
import { discardJobs, redriveJobs, shownJob } from "./dead-letters";
import { jobDeadLetters } from "./store/dead-letter";

export const staffJobs = staffLetters<object>(
  "queues.dead_letters",
  jobDeadLetters,
  (row) => {
    const { job: source, jobId: messageId, ...rest } = shownJob(row);
    return { ...rest, source, messageId, type: "" };
  },
  { redrive: redriveJobs, discard: discardJobs },
);
