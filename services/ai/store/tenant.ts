// Removing all that an organisation has, each statement at most `limit` rows; and what its export holds.
import { declareExport } from "../../../db/tenant-export";
import type { DeleteSome } from "../../../db/tenant-purge";

const usage: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from ai.usage where tenant_id = $1 and id in (select id from ai.usage where tenant_id = $1 order by at, id limit $2)`,
    [tenantId, limit],
  );

const reservations: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from ai.reservation where tenant_id = $1 and id in (select id from ai.reservation where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

const spending: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from ai.spending where tenant_id = $1 and (subject, period, starts_on) in (
       select subject, period, starts_on from ai.spending where tenant_id = $1 order by subject, period, starts_on limit $2)`,
    [tenantId, limit],
  );

const budgets: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from ai.budget where tenant_id = $1 and name in (select name from ai.budget where tenant_id = $1 order by name limit $2)`,
    [tenantId, limit],
  );

export const tenantDelete: readonly DeleteSome[] = [reservations, usage, spending, budgets];

declareExport("ai", {
  exported: [
    {
      name: "ai.budget",
      order: { name: "text" },
      columns: ["name", "subject", "period", "limit_micro_usd", "enforcement", "created_at", "updated_at"],
    },
    {
      name: "ai.usage",
      order: { at: "timestamptz", id: "uuid" },
      columns: [
        ...["id", "subject", "kind", "provider", "model", "key_of", "outcome"],
        ...["input_tokens", "output_tokens", "cost_micro_usd", "at"],
      ],
      omitted: { price_list: "which version of the app's own list it was counted with" },
    },
  ],
  left: { "ai.spending": "sums of the usage", "ai.reservation": "calls under way" },
});
