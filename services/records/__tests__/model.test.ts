// Random operations on stock, orders and the ledger: each is refused or done as a model of a hundred lines says, and what there is afterwards
// is what the model has. fast-check prints the seed of a failure, and how to repeat it. Ten thousand of them:
//   GROUNDWORK_MODEL_RUNS=100 npm run test:pg -- services/records/__tests__/model.test.ts
import fc from "fast-check";
import { records } from "~encore/clients";
import { afterEach, expect, test } from "vitest";
import { systemQuery, tenantQuery, withTenant } from "../../../db/tenant";
import { listenForCancels } from "../../../sagas/cancel-notice";
import { runSaga } from "../../../sagas/run-saga";
import { tenantIdFrom } from "../../../security/principal";
import { createCaller, type Caller } from "../../../testing";
import { orderSaga } from "../order-saga";
import { endOrder } from "../order-steps";
import { usePayments } from "../providers/chosen";
import { APPROVED_TOKEN, createDevelopmentPayments } from "../providers/development-payments";
import { Model, type Outcome } from "./model";
import { order } from "./ordering";
import { account, balanceOf, ledgerFaults, post } from "./posting";
import { product, reason } from "./things";

const isNative = process.env.GROUNDWORK_TEST_POSTGRES_URL !== undefined;
const SEED = 20261130;
/** Each run has an organisation of its own. */
const RUNS = Number(process.env.GROUNDWORK_MODEL_RUNS ?? (isNative ? 20 : 3));
const OPERATIONS_A_RUN = 100;

afterEach(() => usePayments(undefined));

const which = fc.nat(1_000);
const amounts = fc.array(fc.record({ account: which, amountMinor: fc.integer({ min: -500, max: 500 }) }), {
  minLength: 1,
  maxLength: 4,
});
const operation = fc.oneof(
  fc.record({ act: fc.constant("addProduct" as const), stock: fc.nat(12), priceMinor: fc.constantFrom(0, 1, 450) }),
  fc.record({ act: fc.constant("moveStock" as const), which, by: fc.integer({ min: -8, max: 8 }) }),
  fc.record({ act: fc.constantFrom("removeProduct" as const, "restoreProduct" as const), which }),
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant("place" as const),
      items: fc.array(fc.record({ which, quantity: fc.integer({ min: 1, max: 5 }) }), { minLength: 1, maxLength: 3 }),
      isApproved: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ act: fc.constant("drive" as const), which, cancels: fc.boolean() }) },
  fc.record({ act: fc.constantFrom("cancel" as const, "removeOrder" as const, "restoreOrder" as const), which }),
  fc.record({ act: fc.constantFrom("addAccount" as const, "removeAccount" as const), which }),
  { weight: 3, arbitrary: fc.record({ act: fc.constant("post" as const), amounts, isOff: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("reverse" as const), which }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The app and its model, side by side. */
class Pair {
  readonly by: Caller = createCaller();
  readonly model = new Model();
  readonly products: string[] = [];
  readonly orders: { id: string; sagaId: string }[] = [];
  readonly accounts: string[] = [];
  readonly transactions: string[] = [];
  /** What is done while a payment is under way. */
  private meanwhile: (() => Promise<unknown>) | undefined;
  private readonly development = createDevelopmentPayments();

  begin(): void {
    usePayments({
      charge: async (charge, signal) => {
        await this.meanwhile?.();
        return this.development.charge(charge, signal);
      },
      refund: (refund, signal) => this.development.refund(refund, signal),
    });
  }

  async act(operation: Operation): Promise<void> {
    const { by, model } = this;
    switch (operation.act) {
      case "addProduct": {
        const { stock, priceMinor } = operation;
        this.products.push((await product(by, { stock, priceMinor })).id);
        model.products.push({ stock, priceMinor, isDeleted: false });
        return;
      }
      case "addAccount":
        this.accounts.push((await account(by)).id);
        model.accounts.push({ isDeleted: false });
        return;
      case "moveStock":
        return this.on(this.products, operation.which, (id, at) => {
          const by_ = operation.by === 0 ? 1 : operation.by;
          return [records.moveProductStock({ id, by: by_ }, by), model.moveStock(at, by_)];
        });
      case "removeProduct":
        return this.on(this.products, operation.which, (id, at) => [
          records.removeProduct({ id }, by),
          model.setProductDeleted(at, true),
        ]);
      case "restoreProduct":
        return this.on(this.products, operation.which, (id, at) => [
          records.restoreProduct({ id }, by),
          model.setProductDeleted(at, false),
        ]);
      case "place":
        return this.place(operation);
      case "drive":
        return this.drive(operation);
      case "cancel":
        return this.on(this.orders, operation.which, ({ id }, at) => [
          records.cancelOrder({ id }, by),
          model.cancel(at),
        ]);
      case "removeOrder":
        return this.on(this.orders, operation.which, ({ id }, at) => [
          records.removeOrder({ id }, by),
          model.setOrderDeleted(at, true),
        ]);
      case "restoreOrder":
        return this.on(this.orders, operation.which, ({ id }, at) => [
          records.restoreOrder({ id }, by),
          model.setOrderDeleted(at, false),
        ]);
      case "removeAccount":
        return this.on(this.accounts, operation.which, (id, at) => [
          records.removeAccount({ id }, by),
          model.removeAccount(at),
        ]);
      case "post":
        return this.post(operation);
      case "reverse":
        return this.on(this.transactions, operation.which, (id, at) => [
          records.reverseTransaction({ id }, by).then((made) => this.transactions.push(made.id)),
          model.reverse(at),
        ]);
    }
  }

  /** Nothing, where there is none yet. */
  private async on<Thing>(
    things: readonly Thing[],
    whichOne: number,
    act: (thing: Thing, at: number) => readonly [Promise<unknown>, Outcome],
  ): Promise<void> {
    if (things.length === 0) return;
    const at = whichOne % things.length;
    const [done, expected] = act(things[at]!, at);
    expect(await reason(done)).toBe(expected);
  }

  private async place({ items, isApproved }: Extract<Operation, { act: "place" }>): Promise<void> {
    if (this.products.length === 0) return;
    const wanted = new Map(items.map((item) => [item.which % this.products.length, item.quantity]));
    const placing = order(
      this.by,
      Object.fromEntries([...wanted].map(([at, quantity]) => [this.products[at]!, quantity])),
      {
        paymentToken: isApproved ? APPROVED_TOKEN : "declined",
      },
    ).then(({ id, sagaId }) => this.orders.push({ id, sagaId }));
    const modelled = [...wanted].map(([at, quantity]) => ({ product: at, quantity }));
    expect(await reason(placing)).toBe(this.model.place(modelled, isApproved));
  }

  /** The saga's job, and what comes of its event, which comes twice. */
  private async drive({ which: whichOne, cancels }: Extract<Operation, { act: "drive" }>): Promise<void> {
    if (this.orders.length === 0) return;
    const at = whichOne % this.orders.length;
    const { id, sagaId } = this.orders[at]!;
    const tenantId = tenantIdFrom(this.by.tenantId);
    this.meanwhile = cancels ? () => records.cancelOrder({ id }, this.by) : undefined;
    await runSaga(orderSaga, { tenantId, id: sagaId }, new AbortController().signal);
    const text = "select reason from sagas.saga where id = $1 and state = 'compensated'";
    const [undone] = await systemQuery<{ reason: string }>("test", text, [sagaId]);
    for (let delivery = 0; delivery < 2 && undone !== undefined; delivery++)
      await withTenant({ tenantId }, (tx) => endOrder(tx, tenantId, sagaId, undone.reason));
    this.model.drive(at, cancels);
  }

  private async post({ amounts: wanted, isOff }: Extract<Operation, { act: "post" }>): Promise<void> {
    if (this.accounts.length === 0) return;
    const entries = wanted.map((entry) => ({
      account: entry.account % this.accounts.length,
      amountMinor: entry.amountMinor === 0 ? 7 : entry.amountMinor,
    }));
    const sum = entries.reduce((all, { amountMinor }) => all + amountMinor, 0);
    // What comes to nought needs an entry for it that is not nought, and is off by one where it is to be.
    const rest = -sum === 0 ? [3, -3] : [-sum];
    const all = [...entries, ...rest.map((amountMinor) => ({ account: 0, amountMinor }))];
    if (isOff) all.push({ account: 0, amountMinor: 1 });
    const posting = post(
      this.by,
      all.map((entry) => [this.accounts[entry.account]!, entry.amountMinor]),
    ).then(({ id }) => this.transactions.push(id));
    expect(await reason(posting)).toBe(this.model.post(all));
  }

  /** All that there is, against all that the model has. */
  async compare(): Promise<void> {
    const { by, model } = this;
    const rowsOf = <Row>(text: string): Promise<Row[]> => tenantQuery<Row>(by, text, [by.tenantId]);
    const stocks = await rowsOf<{ id: string; stock: number }>(
      "select id, stock from records.product where tenant_id = $1 limit 1000",
    );
    const states = await rowsOf<{ id: string; state: string }>(
      "select id, state from records.sales_order where tenant_id = $1 limit 1000",
    );
    expect(this.products.map((id) => stocks.find((row) => row.id === id)?.stock)).toEqual(
      model.products.map(({ stock }) => stock),
    );
    expect(this.orders.map(({ id }) => states.find((row) => row.id === id)?.state)).toEqual(
      model.orders.map(({ state }) => state),
    );
    for (const [at, id] of this.accounts.entries())
      expect((await balanceOf(by, id)).EUR ?? 0, `account ${at}`).toBe(model.balanceOf(at));
    expect(await ledgerFaults(by)).toEqual({ unbalanced: 0, torn: 0 });
    const [posted] = await rowsOf<{ manual: number; paid: number; minor: number }>(
      `select (select count(*)::int from records.ledger_transaction where tenant_id = $1 and order_id is null) as manual,
              (select count(*)::int from records.ledger_transaction where tenant_id = $1 and origin = 'order_payment') as paid,
              (select coalesce(sum(e.amount_minor), 0)::int from records.ledger_entry e join records.account a on a.tenant_id = e.tenant_id and a.id = e.account_id
                where e.tenant_id = $1 and a.code = 'orders:payments') as minor`,
    );
    expect(posted).toEqual({ manual: model.transactions.length, paid: model.payments, minor: model.paidMinor });
  }
}

test(`${RUNS} runs of random operations on stock, orders and the ledger come out as a model says`, async () => {
  await listenForCancels();
  let done = 0;
  const operations = fc.array(operation, { minLength: OPERATIONS_A_RUN, maxLength: OPERATIONS_A_RUN });
  const property = fc.asyncProperty(operations, async (wanted) => {
    const pair = new Pair();
    pair.begin();
    for (const [at, one] of wanted.entries()) {
      await pair.act(one);
      done++;
      if (at % 20 === 19) await pair.compare();
    }
  });
  await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
  expect(done).toBe(RUNS * OPERATIONS_A_RUN);
}, 600_000);
