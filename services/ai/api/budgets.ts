// Budgets, and what was spent.
import { api } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { doEach } from "../../../db/upkeep";
import { currentPrincipal } from "../../../security/principal";
import { listBudgets, putBudget as put, removeBudget as remove } from "../budgets";
import { dayOf, monthOf, ORGANISATION } from "../ledger";
import { spendingList, type SpendingRow } from "../store/ledger";
import { expireReservations, purgeSpending, purgeUsage } from "../upkeep";

interface BudgetOf {
  kind: "organisation" | "user" | "key" | "service";
  /** Of one user, key or service principal; without it each of them has this budget. */
  id?: string & MinLen<1> & MaxLen<36>;
}

interface PutBudgetRequest {
  /** Its name: lower-case letters, digits, - and _, at most 64. */
  id: string;
  /** The organisation, if not given. */
  of?: BudgetOf;
  /** Of UTC. */
  period: "day" | "month";
  /** Millionths of a dollar. */
  limitMicroUsd: number & Min<0> & Max<1000000000000>;
  /** `hard`: calls that may go beyond are refused; `soft`: their answers name the budget. Hard if not given. */
  enforcement?: "hard" | "soft";
}

interface Budget {
  id: string;
  of: BudgetOf;
  period: "day" | "month";
  limitMicroUsd: number;
  enforcement: "hard" | "soft";
}

/** Sets a budget, or replaces it. What was spent in its period before counts. */
export const putBudget = api(
  { expose: true, auth: true, method: "PUT", path: "/ai/budgets/:id", tags: ["can:ai_budget.manage", "fresh"] },
  ({ id, of, ...rest }: PutBudgetRequest): Promise<Budget> => put(currentPrincipal(), { id, of, ...rest }),
);

/** The organisation's budgets, by name. */
export const getBudgets = api(
  { expose: true, auth: true, method: "GET", path: "/ai/budgets", tags: ["can:ai_budget.read"] },
  async (): Promise<{ budgets: Budget[] }> => ({ budgets: await listBudgets(currentPrincipal()) }),
);

/** Removes a budget; what was spent stays counted. */
export const removeBudget = api(
  { expose: true, auth: true, method: "DELETE", path: "/ai/budgets/:id", tags: ["can:ai_budget.manage", "fresh"] },
  ({ id }: { id: string }): Promise<void> => remove(currentPrincipal(), id),
);

interface Spending {
  spentMicroUsd: number;
  /** By calls that are under way. */
  reservedMicroUsd: number;
  calls: number;
  inputTokens: number;
  outputTokens: number;
}

interface SubjectSpending extends Spending {
  /** "user:ID", "key:ID" or "service:ID". */
  of: string;
}

interface PeriodUsage extends Spending {
  /** YYYY-MM-DD, of UTC. */
  startsOn: string;
  /** Who spent most first, a hundred at most. */
  by: SubjectSpending[];
}

interface AiUsageResponse {
  day: PeriodUsage;
  month: PeriodUsage;
}

const NOTHING: Spending = { spentMicroUsd: 0, reservedMicroUsd: 0, calls: 0, inputTokens: 0, outputTokens: 0 };
const BY_MAX = 100;

const shown = ({ spent, reserved, calls, inputTokens, outputTokens }: SpendingRow): Spending => ({
  ...{ spentMicroUsd: spent, reservedMicroUsd: reserved, calls, inputTokens, outputTokens },
});

function ofPeriod(rows: readonly SpendingRow[], period: "day" | "month", startsOn: string): PeriodUsage {
  const here = rows.filter((row) => row.period === period);
  const own = here.find(({ subject }) => subject === ORGANISATION);
  const by = here.filter(({ subject }) => subject.includes(":")).slice(0, BY_MAX);
  return {
    ...(own === undefined ? NOTHING : shown(own)),
    startsOn,
    by: by.map((row): SubjectSpending => ({ of: row.subject, ...shown(row) })),
  };
}

/** What the organisation spent today and this month, and who did. */
export const getUsage = api(
  { expose: true, auth: true, method: "GET", path: "/ai/usage", tags: ["can:ai_budget.read"] },
  async (): Promise<AiUsageResponse> => {
    const day = dayOf(new Date());
    const month = monthOf(day);
    // Of both periods, with the organisation's own and the installation's.
    const rows = await spendingList(currentPrincipal(), { day, month }, 2 * BY_MAX + 3);
    return { day: ofPeriod(rows, "day", day), month: ofPeriod(rows, "month", month) };
  },
);

export const maintain = api({ expose: false, method: "POST", path: "/ai/maintain" }, async (): Promise<void> => {
  await doEach([expireReservations, purgeSpending, purgeUsage]);
});

/** As often as reservations may need it: what a dead process had reserved is free for nobody until then. */
export const maintainOften = new CronJob("ai-maintain", {
  title: "Count what calls of dead processes may have cost, remove usage past its time",
  every: "10m",
  endpoint: maintain,
});
