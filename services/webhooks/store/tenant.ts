// Removing all that an organisation has, each statement at most `limit` rows; and what its export holds.
import { declareExport } from "../../../db/tenant-export";
import type { DeleteSome } from "../../../db/tenant-purge";

const endpoints: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from webhooks.endpoint where tenant_id = $1 and id in (
       select id from webhooks.endpoint where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

const attempts: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from webhooks.attempt where tenant_id = $1 and id in (
       select id from webhooks.attempt where tenant_id = $1 order by endpoint_id limit $2)`,
    [tenantId, limit],
  );

const deliveries: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from webhooks.delivery where tenant_id = $1 and id in (
       select id from webhooks.delivery where tenant_id = $1 order by endpoint_id limit $2)`,
    [tenantId, limit],
  );

const messages: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from webhooks.message where tenant_id = $1 and id in (
       select id from webhooks.message where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

const sources: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from webhooks.source where tenant_id = $1 and id in (
       select id from webhooks.source where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

const received: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from webhooks.received where tenant_id = $1 and (source_id, dedupe_key) in (
       select source_id, dedupe_key from webhooks.received where tenant_id = $1 order by source_id, dedupe_key limit $2)`,
    [tenantId, limit],
  );

/** Endpoints and sources first: nothing more is sent then, or taken. */
export const tenantDelete: readonly DeleteSome[] = [
  ...[endpoints, sources],
  ...[attempts, deliveries, messages, received],
];

declareExport("webhooks", {
  exported: [
    {
      name: "webhooks.endpoint",
      order: { created_at: "timestamptz", id: "uuid" },
      columns: [
        ...["id", "url", "description", "event_types", "ordering", "status", "disabled_reason", "disabled_at"],
        ...["failing_since", "last_failed_at", "previous_until", "created_by", "created_at", "updated_at"],
      ],
      personal: ["description", "created_by"],
    },
    {
      name: "webhooks.source",
      order: { created_at: "timestamptz", id: "uuid" },
      columns: ["id", "name", "scheme", "previous_until", "created_by", "created_at", "updated_at"],
      personal: ["created_by"],
    },
  ],
  left: {
    "webhooks.message": "what was sent, for thirty days: events are in the rooms that they tell of",
    "webhooks.delivery": "what became of it, for thirty days",
    "webhooks.received": "by what a webhook is known that came in before",
    "webhooks.attempt": "what became of it, for thirty days: GET /webhooks/endpoints/:id/attempts",
  },
});
