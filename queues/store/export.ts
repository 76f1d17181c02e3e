// Why an organisation's export holds nothing of queues.
import { declareExport } from "../../db/tenant-export";

declareExport("queues", {
  exported: [],
  left: {
    "queues.task": "work that was done, kept for days",
    "queues.task_log": "what it said meanwhile",
    "queues.flow": "work that waits for other work, kept for some months",
    "queues.flow_child": "the work that it waits for",
    "queues.tenant_turn": "whose turn it is",
    "queues.tenant_gate": "when the next of its jobs may begin",
    "queues.tenant_run": "which of its jobs are under way",
    "queues.dead_letter": "work that could not be done",
  },
});
