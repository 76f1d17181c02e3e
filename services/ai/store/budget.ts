// Statements on ai.budget.
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { Period } from "./ledger";

export interface BudgetRow {
  name: string;
  subject: string;
  period: Period;
  limit: number;
  enforcement: "hard" | "soft";
}

const BUDGET = `name, subject, period, limit_micro_usd as "limit", enforcement`;

export interface Falling {
  subject: string;
  /** How budgets for each subject of its kind are stored. */
  each: string;
  organisation: string;
  /** YYYY-MM-DD; the day, and the first of its month. */
  day: string;
  month: string;
}

export interface StandingRow extends BudgetRow {
  /** Whose spending it counts. */
  counted: string;
  /** Spent and reserved in its period so far; without a lock, so perhaps more by now. */
  total: number;
}

/** The budgets that the subject's calls fall under, and how each stands. */
export function budgetStandings(
  tx: Tx,
  tenantId: string,
  { subject, each, organisation, day, month }: Falling,
): Promise<StandingRow[]> {
  return tx.query(
    `select b.name, b.subject, b.period, b.limit_micro_usd as "limit", b.enforcement, c.subject as counted,
            coalesce(s.spent_micro_usd + s.reserved_micro_usd, 0) as total
       from ai.budget b
       cross join lateral (select case when b.subject = $3 then $2 else b.subject end as subject) c
       left join ai.spending s on s.tenant_id = $1 and s.subject = c.subject and s.period = b.period
              and s.starts_on = case b.period when 'day' then $5::date else $6::date end
      where b.tenant_id = $1 and b.subject in ($2, $3, $4) order by b.name limit 100`,
    [tenantId, subject, each, organisation, day, month],
  );
}

/** By name; the service bounds how many there are. */
export function budgetList(scope: TenantScope): Promise<BudgetRow[]> {
  return tenantQuery(scope, `select ${BUDGET} from ai.budget where tenant_id = $1 order by name limit 100`, [
    scope.tenantId,
  ]);
}

/** Stores or replaces one. */
export async function budgetPut(tx: Tx, tenantId: string, row: BudgetRow): Promise<void> {
  await tx.execute(
    `insert into ai.budget (tenant_id, name, subject, period, limit_micro_usd, enforcement) values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant_id, name) do update
       set subject = excluded.subject, period = excluded.period, limit_micro_usd = excluded.limit_micro_usd,
           enforcement = excluded.enforcement, updated_at = now()`,
    [tenantId, row.name, row.subject, row.period, row.limit, row.enforcement],
  );
}

/** One at a time adds budgets of an organisation, so that what is counted stays true. */
export async function budgetLock(tx: Tx, tenantId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('ai.budget:' || $1, 0))`, [tenantId]);
}

export async function budgetCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from ai.budget where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

/** False when there is none. */
export async function budgetDelete(tx: Tx, tenantId: string, name: string): Promise<boolean> {
  return (await tx.execute(`delete from ai.budget where tenant_id = $1 and name = $2`, [tenantId, name])) === 1;
}
