// What stock, orders and the ledger are said to do, in the plainest way: objects in memory that know nothing of tables, sagas or races.
// model.test.ts does the same to it and to the app, and compares.

export type State = "pending" | "confirmed" | "cancelled" | "failed";

export interface ModelProduct {
  stock: number;
  priceMinor: number;
  isDeleted: boolean;
}

export interface ModelOrder {
  items: readonly { product: number; quantity: number; unitPriceMinor: number }[];
  isApproved: boolean;
  state: State;
  isCanceling: boolean;
  isDeleted: boolean;
}

export interface ModelTransaction {
  /** By the account's number. */
  entries: readonly { account: number; amountMinor: number }[];
  isReversed: boolean;
}

/** A refusal is its reason; undefined is done. */
export type Outcome = string | undefined;

export class Model {
  readonly products: ModelProduct[] = [];
  readonly orders: ModelOrder[] = [];
  readonly accounts: { isDeleted: boolean }[] = [];
  readonly transactions: ModelTransaction[] = [];
  /** What confirmed orders brought in. */
  paidMinor = 0;
  payments = 0;

  moveStock(at: number, by: number): Outcome {
    const product = this.products[at]!;
    if (product.isDeleted) return "product_not_found";
    if (product.stock + by < 0) return "stock_insufficient";
    product.stock += by;
    return undefined;
  }

  setProductDeleted(at: number, isDeleted: boolean): Outcome {
    const product = this.products[at]!;
    if (product.isDeleted === isDeleted) return "product_not_found";
    product.isDeleted = isDeleted;
    return undefined;
  }

  place(items: readonly { product: number; quantity: number }[], isApproved: boolean): Outcome {
    if (items.some(({ product }) => this.products[product]!.isDeleted)) return "product_not_found";
    const priced = items.map((item) => ({ ...item, unitPriceMinor: this.products[item.product]!.priceMinor }));
    this.orders.push({ items: priced, isApproved, state: "pending", isCanceling: false, isDeleted: false });
    return undefined;
  }

  cancel(at: number): Outcome {
    const order = this.orders[at]!;
    if (order.isDeleted) return "order_not_found";
    if (order.state !== "pending") return "order_ended";
    order.isCanceling = true;
    return undefined;
  }

  /** Its saga goes as far as it goes; `cancelled` says that somebody calls it off while the payment is under way. */
  drive(at: number, cancelledMeanwhile: boolean): void {
    const order = this.orders[at]!;
    if (order.state !== "pending") return;
    const total = order.items.reduce((sum, { quantity, unitPriceMinor }) => sum + quantity * unitPriceMinor, 0);
    const fits = order.items.every(({ product: number, quantity }) => {
      const product = this.products[number]!;
      return !product.isDeleted && product.stock >= quantity;
    });
    if (order.isCanceling) order.state = "cancelled";
    else if (!fits) order.state = "failed";
    else if (total > 0 && cancelledMeanwhile) order.state = "cancelled";
    else if (total > 0 && !order.isApproved) order.state = "failed";
    else {
      order.state = "confirmed";
      for (const { product, quantity } of order.items) this.products[product]!.stock -= quantity;
      this.paidMinor += total;
      if (total > 0) this.payments++;
    }
  }

  setOrderDeleted(at: number, isDeleted: boolean): Outcome {
    const order = this.orders[at]!;
    if (order.isDeleted === isDeleted) return "order_not_found";
    if (isDeleted && order.state === "pending") return "order_under_way";
    order.isDeleted = isDeleted;
    return undefined;
  }

  post(entries: ModelTransaction["entries"]): Outcome {
    if (entries.reduce((sum, { amountMinor }) => sum + amountMinor, 0) !== 0) return "transaction_unbalanced";
    if (entries.some(({ account }) => this.accounts[account]!.isDeleted)) return "account_not_found";
    this.transactions.push({ entries, isReversed: false });
    return undefined;
  }

  reverse(at: number): Outcome {
    const transaction = this.transactions[at]!;
    if (transaction.isReversed) return "transaction_reversed";
    transaction.isReversed = true;
    const entries = transaction.entries.map((entry) => ({ ...entry, amountMinor: -entry.amountMinor }));
    this.transactions.push({ entries, isReversed: false });
    return undefined;
  }

  removeAccount(at: number): Outcome {
    const account = this.accounts[at]!;
    if (account.isDeleted) return "account_not_found";
    if (this.transactions.some(({ entries }) => entries.some((entry) => entry.account === at))) return "account_in_use";
    account.isDeleted = true;
    return undefined;
  }

  balanceOf(at: number): number {
    return this.transactions
      .flatMap(({ entries }) => entries)
      .reduce((sum, { account, amountMinor }) => sum + (account === at ? amountMinor : 0), 0);
  }
}
