// For tests of the ledger: calls of a known price, and what the tables say of an organisation.
import { systemQuery } from "../../../db/tenant";
import type { Caller } from "../../../testing";
import { reserve, settle, type PlannedCall, type Reservation } from "../ledger";

/** Costs ten cents at most. */
export const TEN_CENTS: PlannedCall = {
  ...{ kind: "generate", provider: "p", model: "m", keyOf: "organisation" },
  price: { input: 1_000_000, output: 1_000_000 },
  worst: { inputTokens: 50_000, outputTokens: 50_000 },
};

export const NOW = new Date("2026-11-29T12:00:00Z");
/** Beyond what these tests spend. */
export const UNLIMITED = 1_000_000_000;

export const reserveFor = (
  caller: Caller,
  call = TEN_CENTS,
  now = NOW,
  installation = UNLIMITED,
): Promise<Reservation> => reserve(caller.principal, call, now, installation);

export const settleFor = (caller: Caller, reservation: Reservation, tokens: number): Promise<boolean> =>
  settle(caller.principal, reservation, { outcome: "answered", inputTokens: tokens, outputTokens: 0 });

export interface Books {
  spent: number;
  reserved: number;
  /** Sum of the entries. */
  entries: number;
  open: number;
}

/** What stands of the organisation's month. */
export async function booksOf({ tenantId }: Pick<Caller, "tenantId">): Promise<Books> {
  const [books] = await systemQuery<Books>(
    "test",
    `select coalesce((select spent_micro_usd from ai.spending where tenant_id = $1 and subject = 'organisation' and period = 'month'), 0)::float8 as spent,
            coalesce((select reserved_micro_usd from ai.spending where tenant_id = $1 and subject = 'organisation' and period = 'month'), 0)::float8 as reserved,
            coalesce((select sum(cost_micro_usd) from ai.usage where tenant_id = $1), 0)::float8 as entries,
            (select count(*) from ai.reservation where tenant_id = $1)::int as open`,
    [tenantId],
  );
  if (books === undefined) throw new Error("a statement without FROM answered no row");
  return books;
}

/** As if the processes of all its calls had died a while ago. */
export async function dieLongAgo({ tenantId }: Pick<Caller, "tenantId">): Promise<void> {
  await systemQuery("test", `update ai.reservation set expires_at = now() - interval '1 second' where tenant_id = $1`, [
    tenantId,
  ]);
}
