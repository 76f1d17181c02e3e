// Statements on queues.dead_letter: jobs that failed for good. A job has one dead letter at most; one that fails for
// good again after a redrive has a new job id.
import { deadLetterTable } from "../../events/dead-letters";

export const jobDeadLetters = deadLetterTable<object>({
  table: "queues.dead_letter",
  source: "queue",
  messageId: "job_id",
  extra: {},
});
