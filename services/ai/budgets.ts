// Budgets: what an organisation, or one or each of its users, keys and service principals may spend in a day or month.
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { withActing } from "../../db/acting";
import { isUuid } from "../../db/ids";
import type { TenantScope, Tx } from "../../db/tenant";
import { commonErrors } from "../../security/common-errors";
import type { Principal } from "../../security/principal";
import { errors } from "./errors";
import { ORGANISATION } from "./ledger";
import { budgetCount, budgetDelete, budgetList, budgetLock, budgetPut, type BudgetRow } from "./store/budget";

export interface BudgetOf {
  kind: "organisation" | "user" | "key" | "service";
  id?: string;
}

export interface Budget {
  id: string;
  of: BudgetOf;
  period: "day" | "month";
  limitMicroUsd: number;
  enforcement: "hard" | "soft";
}

export interface NewBudget extends Omit<Budget, "of" | "enforcement"> {
  of?: BudgetOf | undefined;
  enforcement?: "hard" | "soft" | undefined;
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
/** Each call looks at all that hold for it. */
const BUDGETS_MAX = 100;

const budgetSet = defineAction("ai.budget.set", { of: "plain", period: "plain", limit: "plain", enforcement: "plain" });
const budgetRemoved = defineAction("ai.budget.removed", { name: "plain" });

/** @throws APIError invalid_request */
function subjectIn({ kind, id }: BudgetOf): string {
  if (kind === "organisation") {
    if (id !== undefined) throw commonErrors.invalid_request({ fields: { "of.id": "is not for the organisation" } });
    return ORGANISATION;
  }
  if (id !== undefined && !isUuid(id)) throw commonErrors.invalid_request({ fields: { "of.id": "must be a UUID" } });
  return `${kind}:${id?.toLowerCase() ?? "*"}`;
}

function shown({ name, subject, period, limit, enforcement }: BudgetRow): Budget {
  const [kind = ORGANISATION, id] = subject.split(":") as [BudgetOf["kind"], string?];
  const of: BudgetOf = { kind, ...(id === undefined || id === "*" ? {} : { id }) };
  return { id: name, of, period, limitMicroUsd: limit, enforcement };
}

/** What may be spent is changed by who may still do so. */
function changingBudgets<T>(principal: Principal, work: (tx: Tx) => Promise<T>): Promise<T> {
  return withActing(principal, { permission: "ai_budget.manage", reason: "change-ai-budgets" }, work);
}

/** Sets a budget, or replaces it. @throws APIError invalid_request, too_many_budgets, invalid_token, permission_denied */
export async function putBudget(principal: Principal, budget: NewBudget): Promise<Budget> {
  const { id: name, of = { kind: ORGANISATION }, period, limitMicroUsd, enforcement = "hard" } = budget;
  const fields: Record<string, string> = {};
  if (!NAME.test(name)) fields.id = "must be of lower-case letters, digits, - and _, at most 64 in all";
  if (!Number.isInteger(limitMicroUsd)) fields.limitMicroUsd = "must be a whole number";
  if (Object.keys(fields).length > 0) throw commonErrors.invalid_request({ fields });
  const row: BudgetRow = { name, subject: subjectIn(of), period, limit: limitMicroUsd, enforcement };
  await changingBudgets(principal, async (tx) => {
    const { tenantId } = principal;
    await budgetLock(tx, tenantId);
    await budgetPut(tx, tenantId, row);
    if ((await budgetCount(tx, tenantId)) > BUDGETS_MAX) throw errors.too_many_budgets();
    const logged = { of: row.subject, period, limit: limitMicroUsd, enforcement };
    await record(tx, budgetSet, { tenantId, target: { type: "ai_budget", id: name }, fields: logged });
  });
  return shown(row);
}

export async function listBudgets(scope: TenantScope): Promise<Budget[]> {
  return (await budgetList(scope)).map(shown);
}

/** @throws APIError budget_not_found, invalid_token, permission_denied */
export async function removeBudget(principal: Principal, name: string): Promise<void> {
  const { tenantId } = principal;
  await changingBudgets(principal, async (tx) => {
    if (!NAME.test(name) || !(await budgetDelete(tx, tenantId, name))) throw errors.budget_not_found();
    const target = { type: "ai_budget", id: name };
    await record(tx, budgetRemoved, { tenantId, target, fields: { name } });
  });
}
