// The rules of the ledger's accounts. Those of the app have a colon in their codes, which nobody else's may have.
import type { z } from "zod";
import { idFromParts } from "../../db/ids";
import type { Tx } from "../../db/tenant";
import { refusing, type Kind } from "./changes";
import { errors } from "./errors";
import type { newAccount } from "./input";
import { accountInsert, accountInsertIfNew, accounts, accountSettings, type AccountRow } from "./store/accounts";
import type { Ask } from "../../db/listing/ask";
import type { Place } from "./store/change";

export const accountKind: Kind<AccountRow> = {
  resource: accounts,
  settings: accountSettings,
  missing: () => errors.account_not_found(),
};

export const createAccount = (ask: Ask, place: Place, account: z.infer<typeof newAccount>): Promise<AccountRow> =>
  accountInsert(refusing(ask), place, account);

/** What orders post to: what payment providers have for the organisation, and what was sold. */
const ofOrders = {
  payments: { code: "orders:payments", name: "Payments of orders", kind: "asset" },
  sales: { code: "orders:sales", name: "Sales by orders", kind: "income" },
} as const;

export interface OrderAccounts {
  payments: string;
  sales: string;
}

/** Their ids; they are made when the first order is paid. */
export function orderAccounts(tx: Tx, tenantId: string): OrderAccounts {
  const idOf = (name: keyof OrderAccounts): string => {
    const { code } = ofOrders[name];
    const id = idFromParts("account", tenantId, code);
    accountInsertIfNew(tx, { tenantId, id }, ofOrders[name]);
    return id;
  };
  return { payments: idOf("payments"), sales: idOf("sales") };
}
