// The ledger as these tests post to it, and what it comes to.
import { records } from "~encore/clients";
import { tenantQuery, type TenantScope } from "../../../db/tenant";
import type { Caller } from "../../../testing";
import { asRead } from "./things";

export type Account = Awaited<ReturnType<typeof records.getAccount>>;
export type Transaction = Awaited<ReturnType<typeof records.getTransaction>>;

let made = 0;

export const account = async (
  by: Caller,
  fields: Partial<Parameters<typeof records.createAccount>[0]> = {},
): Promise<Account> =>
  asRead(await records.createAccount({ code: `account-${++made}`, name: "Bank", kind: "asset", ...fields }, by));

/** What each account gets, in the order of the entries. */
export const post = async (
  by: Caller,
  amounts: readonly (readonly [accountId: string, amountMinor: number, currency?: string])[],
  fields: Partial<Parameters<typeof records.createTransaction>[0]> = {},
): Promise<Transaction> => {
  const entries = amounts.map(([accountId, amountMinor, currency = "EUR"]) => ({ accountId, amountMinor, currency }));
  return asRead(await records.createTransaction({ entries, ...fields }, by));
};

export interface LedgerFaults {
  /** What entries of a currency come to, where that is not nought: of all, and of each transaction. */
  unbalanced: number;
  /** Transactions without all of their entries. */
  torn: number;
}

/** What double entry never lets be, counted past the tables' own rules. */
export async function ledgerFaults(scope: TenantScope): Promise<LedgerFaults> {
  const [row] = await tenantQuery<LedgerFaults>(
    scope,
    `select (select count(*)::int from (select 1 from records.ledger_entry where tenant_id = $1
               group by grouping sets ((currency), (transaction_id, currency)) having sum(amount_minor) <> 0) as off) as unbalanced,
            (select count(*)::int from records.ledger_transaction t where t.tenant_id = $1 and t.entry_count <>
               (select count(*) from records.ledger_entry e where e.tenant_id = $1 and e.transaction_id = t.id)) as torn`,
    [scope.tenantId],
  );
  return row!;
}

/** What the account has, of each currency. */
export async function balanceOf(scope: TenantScope, accountId: string): Promise<Record<string, number>> {
  const rows = await tenantQuery<{ currency: string; sum: number }>(
    scope,
    "select currency, sum(amount_minor)::bigint as sum from records.ledger_entry where tenant_id = $1 and account_id = $2 group by currency order by currency",
    [scope.tenantId, accountId],
  );
  return Object.fromEntries(rows.map(({ currency, sum }) => [currency, sum]));
}

/** How often an order's money was posted, by origin. */
export async function postedOf(scope: TenantScope, orderId: string): Promise<string[]> {
  const rows = await tenantQuery<{ origin: string }>(
    scope,
    "select origin from records.ledger_transaction where tenant_id = $1 and order_id = $2 order by number",
    [scope.tenantId, orderId],
  );
  return rows.map(({ origin }) => origin);
}
