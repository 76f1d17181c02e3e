// What double entry asks of a transaction's entries, before the table does: then it can say which currency is off, and by how much.
import { errors } from "./errors";
import type { Entry } from "./store/transactions";

/** Counted exactly: many together are more than a number holds. @throws APIError transaction_unbalanced with the first currency that is off */
export function checkBalance(entries: readonly Omit<Entry, "accountId">[]): void {
  const sums = new Map<string, bigint>();
  for (const { currency, amountMinor } of entries) sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(amountMinor));
  const off = [...sums].find(([, sum]) => sum !== 0n);
  if (off === undefined) return;
  const [currency, sum] = off;
  throw errors.transaction_unbalanced({ facts: { currency, differenceMinor: String(sum) } });
}

export const negated = (entries: readonly Entry[]): Entry[] =>
  entries.map((entry) => ({ ...entry, amountMinor: -entry.amountMinor }));
