// Statements on queues.dead_letter: jobs that failed for good. A job has one dead letter at most; one that fails for
// good again after a redrive has a new job id.
import { REDRIVE_OF } from "../../events/topic";
import { DELAY_HEADER, JOB_DESTINATION } from "../enqueue";
import { FLOW_FAILED_HEADER } from "../envelope";
import { deadLetterTable } from "../../events/dead-letters";

export const jobDeadLetters = deadLetterTable<object>({
  table: "queues.dead_letter",
  source: "queue",
  messageId: "job_id",
  // A new job with all its attempts, at once; of a flow's parent whoever redrives it says that its children are mended.
  redriven: {
    destination: `'${JOB_DESTINATION}'`,
    aggregateType: "'job'",
    aggregateId: "n.id::text",
    type: "l.queue",
    version: "1",
    headers: `l.headers - '${DELAY_HEADER}' - '${REDRIVE_OF}' - '${FLOW_FAILED_HEADER}'`,
    occurredAt: "now()",
  },
  extra: {},
});
