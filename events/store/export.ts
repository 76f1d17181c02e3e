// Why an organisation's export holds nothing of events.
import { declareExport } from "../../db/tenant-export";

declareExport("events", {
  exported: [],
  left: {
    "events.outbox": "messages on their way, kept for days: what happened stands in the audit log",
    "events.outbox_aggregate": "which of them are next",
    "events.detour": "which of them take another way",
    "events.held": "messages that wait for a consumer which is paused",
    "events.inbox": "which of them had their effect",
    "events.dead_letter": "messages that could not have it",
  },
});
