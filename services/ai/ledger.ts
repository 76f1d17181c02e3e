// The money. A call reserves what it may cost at most before a provider is asked, and settles what it did cost afterwards:
//
//   reserved ── settled: spent what it cost, the rest is free again
//       └────── expired: its process died in between; all of it counts as spent
//
// Expiry counts in full because nobody can know what the provider was paid: so a budget is never overspent, at the price that
// a crash may use up a little of it that nobody got anything for; the next period begins without it. The same holds for a
// call that was sent and whose end nobody saw. Checking first and adding up afterwards is what lets calls at the same time
// through (BerriAI/litellm #34732, #26672), and a row that is not there yet is no lock (#40095): here the sum is added to
// first, by an upsert, and looked at under its lock.
import { newId } from "../../db/ids";
import { withTenant, type TenantScope, type Tx } from "../../db/tenant";
import { promptRunRecorded } from "../../events/catalog/ai";
import { emit } from "../../events/outbox";
import type { Principal } from "../../security/principal";
import { errors } from "./errors";
import { costOf, PRICE_LIST_VERSION, type Price } from "./prices";
import { budgetStandings, type StandingRow } from "./store/budget";
import {
  reservationInsert,
  reservationTake,
  spendingReserve,
  spendingSettle,
  usageInsert,
  type ReservationRow,
  type ReservedRow,
  type Slot,
  type UsageRow,
} from "./store/ledger";

export type CallKind = "generate" | "analyze" | "rag" | "chat" | "embeddings";

export interface Tokens {
  inputTokens: number;
  outputTokens: number;
}

/** A call that is about to be made. */
export interface PlannedCall {
  kind: CallKind;
  provider: string;
  model: string;
  price: Price;
  keyOf: "installation" | "organisation";
  /** More than it can use. */
  worst: Tokens;
}

export interface Reservation {
  id: string;
  price: Price;
  worst: Tokens;
  /** Names of soft budgets that it goes beyond. */
  overBudgets: string[];
}

export interface Settlement extends Tokens {
  outcome: UsageRow["outcome"];
}

/** Longer than any call may take (gateway.ts). */
export const RESERVATION_MS = 15 * 60_000;

export const ORGANISATION = "organisation";
const INSTALLATION = "installation";

/** Who spends, as budgets name them. */
export const subjectOf = ({ kind, subjectId }: Principal): string => `${kind}:${subjectId}`;
const eachOf = (subject: string): string => `${subject.slice(0, subject.indexOf(":"))}:*`;

/** Days and months are those of UTC. */
export const dayOf = (now: Date): string => now.toISOString().slice(0, 10);
export const monthOf = (day: string): string => `${day.slice(0, 7)}-01`;

function slotsOf(subject: string, day: string, keyOf: PlannedCall["keyOf"]): Slot[] {
  const month = monthOf(day);
  const ofBoth = [ORGANISATION, subject].flatMap((of): Slot[] => [
    { subject: of, period: "day", startsOn: day },
    { subject: of, period: "month", startsOn: month },
  ]);
  return keyOf === "installation" ? [{ subject: INSTALLATION, period: "day", startsOn: day }, ...ofBoth] : ofBoth;
}

/** What the sums go beyond. */
const exceeded = (budgets: readonly StandingRow[], sums: readonly ReservedRow[]): StandingRow[] =>
  budgets.filter(({ counted, period, limit }) =>
    sums.some((sum) => sum.subject === counted && sum.period === period && sum.total > limit),
  );

const isHard = ({ enforcement }: StandingRow): boolean => enforcement === "hard";

const ofInstallation = new WeakSet<object>();

/** Whether it was the installation's own limit that refused: a call by another key does not fall under it. */
export const isInstallationLimit = (error: unknown): boolean =>
  typeof error === "object" && error !== null && ofInstallation.has(error);

/**
 * Reserves what the call may cost, in all budgets that it falls under.
 * @throws APIError budget_exhausted, and nothing is reserved
 */
export async function reserve(
  principal: Principal,
  call: PlannedCall,
  now: Date,
  installationLimit: number,
): Promise<Reservation> {
  const subject = subjectOf(principal);
  const { tenantId } = principal;
  const { kind, provider, model, keyOf, price, worst } = call;
  const day = dayOf(now);
  const amount = costOf(price, worst.inputTokens, worst.outputTokens);
  const id = newId();
  const overBudgets = await withTenant(principal, async (tx) => {
    const falling = { subject, each: eachOf(subject), organisation: ORGANISATION, day, month: monthOf(day) };
    const budgets = await budgetStandings(tx, tenantId, falling);
    // A budget that is used up is refused without waiting for anybody; what decides is the sum under the lock.
    const usedUp = budgets.find((budget) => isHard(budget) && budget.total + amount > budget.limit);
    if (usedUp !== undefined) throw exhausted(usedUp.name, usedUp.period, now);
    const sums = await spendingReserve(tx, tenantId, slotsOf(subject, day, keyOf), amount);
    const beyond = exceeded(budgets, sums);
    const hard = beyond.find(isHard);
    if (hard !== undefined) throw exhausted(hard.name, hard.period, now);
    if (sums.some((sum) => sum.subject === INSTALLATION && sum.total > installationLimit)) {
      const refusal = exhausted(INSTALLATION, "day", now);
      ofInstallation.add(refusal);
      throw refusal;
    }
    const row = { id, tenantId, subject, day, kind, provider, model, keyOf, priceList: PRICE_LIST_VERSION, amount };
    reservationInsert(tx, row, RESERVATION_MS);
    return beyond.map(({ name }) => name);
  });
  return { id, price, worst, overBudgets };
}

function exhausted(budget: string, period: "day" | "month", now: Date): Error {
  const next = new Date(now);
  if (period === "day") next.setUTCDate(next.getUTCDate() + 1);
  else next.setUTCMonth(next.getUTCMonth() + 1, 1);
  next.setUTCHours(0, 0, 0, 0);
  const retryAfterSeconds = Math.ceil((next.getTime() - now.getTime()) / 1000);
  return errors.budget_exhausted({ retryAfterSeconds, facts: { budget } });
}

/** What a call cost. False when it was settled before, as expired: that stays, because it counted in full. */
export function settle(scope: TenantScope, reservation: Reservation, settlement: Settlement): Promise<boolean> {
  const { inputTokens, outputTokens } = settlement;
  const cost = costOf(reservation.price, inputTokens, outputTokens);
  return withTenant(scope, async (tx) => {
    const row = await reservationTake(tx, scope.tenantId, reservation.id);
    if (row !== undefined) await settleIn(tx, row, { ...settlement, cost });
    return row !== undefined;
  });
}

/** A call that was never sent, or that the provider refused: it cost nothing. */
export async function release(scope: TenantScope, { id }: Reservation): Promise<void> {
  await withTenant(scope, async (tx) => {
    const row = await reservationTake(tx, scope.tenantId, id);
    if (row !== undefined) await spendingSettle(tx, row.tenantId, slotsIn(row), row.amount, NOTHING);
  });
}

const NOTHING = { cost: 0, calls: 0, inputTokens: 0, outputTokens: 0 };
const slotsIn = ({ subject, day, keyOf }: ReservationRow): Slot[] => slotsOf(subject, day, keyOf);

/** Counts all that was reserved. False when another was faster. */
export function expire(scope: TenantScope, id: string): Promise<boolean> {
  return withTenant(scope, async (tx) => {
    const row = await reservationTake(tx, scope.tenantId, id);
    if (row !== undefined)
      await settleIn(tx, row, { outcome: "expired", inputTokens: 0, outputTokens: 0, cost: row.amount });
    return row !== undefined;
  });
}

async function settleIn(tx: Tx, row: ReservationRow, settled: Settlement & { cost: number }): Promise<void> {
  const { cost, inputTokens, outputTokens, outcome } = settled;
  await spendingSettle(tx, row.tenantId, slotsIn(row), row.amount, { cost, calls: 1, inputTokens, outputTokens });
  usageInsert(tx, { ...row, ...settled });
  const { id: runId, kind, provider, model } = row;
  await emit(
    tx,
    promptRunRecorded,
    { runId, kind, provider, model, outcome, inputTokens, outputTokens, costMicroUsd: cost },
    { aggregateType: "ai.run", aggregateId: runId },
  );
}
