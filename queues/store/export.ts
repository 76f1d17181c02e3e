// Why an organisation's export holds nothing of queues.
import { declareExport } from "../../db/tenant-export";

declareExport("queues", {
  exported: [],
  left: {
    "queues.task": "work that was done, kept for days",
    "queues.task_log": "what it said meanwhile",
    "queues.tenant_turn": "whose turn it is",
    "queues.dead_letter": "work that could not be done",
  },
});
