// What double entry asks of a transaction's entries, before the table does: then it can say which currency is off, and by how much.
import { errors } from "./errors";
import type { Entry } from "./store/transactions";

/** What the entries come to, of each currency in which that is not nought. Counted exactly: many together are more than a number holds. */
export function differencesOf(entries: readonly Omit<Entry, "accountId">[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { currency, amountMinor } of entries) sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(amountMinor));
  for (const [currency, sum] of sums) if (sum === 0n) sums.delete(currency);
  return sums;
}

/** @throws APIError transaction_unbalanced with the first currency that is off */
export function checkBalance(entries: readonly Omit<Entry, "accountId">[]): void {
  const [off] = differencesOf(entries);
  if (off === undefined) return;
  const [currency, sum] = off;
  throw errors.transaction_unbalanced({ facts: { currency, differenceMinor: String(sum) } });
}

export const negated = (entries: readonly Entry[]): Entry[] =>
  entries.map((entry) => ({ ...entry, amountMinor: -entry.amountMinor }));
