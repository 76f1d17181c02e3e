// The rules of budgets: what is spent is counted by the ledger's events, and each threshold is told once a period.
import type { z } from "zod";
import { DbError } from "../../db/errors";
import { withTenant, type Tx } from "../../db/tenant";
import { budgetExceeded } from "../../events/catalog/records";
import { emit } from "../../events/outbox";
import { commonErrors } from "../../security/common-errors";
import type { Principal } from "../../security/principal";
import { patchRecord, refusing, restoreRecord, type Kind } from "./changes";
import { errors } from "./errors";
import type { budgetPatch, newBudget } from "./input";
import type { Change } from "./precondition";
import { accounts } from "./store/accounts";
import { askWithin } from "../../db/listing/ask";
import {
  budgetCount,
  budgetInsert,
  budgets,
  BUDGETS_OF_ACCOUNT_MAX,
  budgetSettings,
  budgetTell,
  type BudgetRow,
  type PeriodPlace,
} from "./store/budgets";
import { recordFind, type Place } from "./store/change";

export const budgetKind: Kind<BudgetRow> = {
  resource: budgets,
  settings: budgetSettings,
  missing: () => errors.expense_budget_not_found(),
};

/** @throws APIError account_not_found, budgets_too_many, invalid_request for a zone that the database does not know */
export function createBudget(
  { tenantId }: Principal,
  id: string,
  budget: z.infer<typeof newBudget>,
): Promise<BudgetRow> {
  const place: Place = { tenantId, id };
  return withTenant({ tenantId }, async (tx) => {
    const ask = askWithin(tx);
    if (!(await budgetInsert(tx, refusing(ask), place, budget).catch(unknownZone))) {
      const account = await recordFind(ask, accounts, { tenantId, id: budget.accountId });
      if (account === undefined) throw errors.account_not_found({ fields: { accountId: "names no account" } });
      throw errors.budgets_too_many({ facts: { max: String(BUDGETS_OF_ACCOUNT_MAX) } });
    }
    const made = await recordFind(ask, budgets, place);
    if (made === undefined) throw new Error("a budget that was made is not there");
    await tellCurrent(tx, tenantId, made);
    return made;
  });
}

/** What is told is what is spent of the amount as it is then, in the period of now. */
export function patchBudget(
  { tenantId }: Principal,
  change: Change,
  patch: z.infer<typeof budgetPatch>,
): Promise<BudgetRow> {
  return withTenant({ tenantId }, async (tx) => {
    const row = await patchRecord(askWithin(tx), budgetKind, change, patch);
    await tellCurrent(tx, tenantId, row);
    return row;
  });
}

/** A period of now that went on while it was deleted is told then. */
export function restoreBudget({ tenantId }: Principal, change: Change): Promise<BudgetRow> {
  return withTenant({ tenantId }, async (tx) => {
    const row = await restoreRecord(askWithin(tx), budgetKind, change);
    await tellCurrent(tx, tenantId, row);
    return row;
  });
}

/** Counts what was posted. The consumer's inbox sees to it that it is counted once. */
export async function countTransaction(tx: Tx, tenantId: string, transactionId: string): Promise<void> {
  await tellPeriods(tx, tenantId, await budgetCount(tx, tenantId, transactionId));
}

/** Of the others nobody learns but by what is posted in them. */
const tellCurrent = (tx: Tx, tenantId: string, { id, current }: BudgetRow): Promise<void> =>
  tellPeriods(tx, tenantId, [{ id, startsAt: current.startsAt }]);

async function tellPeriods(tx: Tx, tenantId: string, periods: readonly PeriodPlace[]): Promise<void> {
  if (periods.length === 0) return;
  for (const { id: budgetId, startsAt, endsAt, ...told } of await budgetTell(tx, tenantId, periods)) {
    const payload = { budgetId, ...told, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() };
    await emit(tx, budgetExceeded, payload, { aggregateType: "budget", aggregateId: budgetId });
  }
}

function unknownZone(error: unknown): never {
  if (error instanceof DbError && error.kind === "invalid_value")
    throw commonErrors.invalid_request({ fields: { timeZone: "is a zone that the database does not know" } });
  throw error;
}
