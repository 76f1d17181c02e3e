// The SQL of orders that is theirs alone; lists and changes are every record's (db/listing/, change.ts).
import { plainSql } from "../../../db/plain-statement";
import type { Tx } from "../../../db/tenant";
import type { RecordRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";
import { inserted, type Place, type Setting, type Target } from "./change";
import { commonColumns } from "./columns";

export type OrderState = "pending" | "reserved" | "paid" | "confirmed" | "cancelled" | "failed";

/** As it was agreed. */
export interface OrderItem {
  productId: string;
  sku: string;
  name: string;
  quantity: number;
  unitPriceMinor: number;
  amountMinor: number;
}

export interface OrderRow extends RecordRow {
  state: OrderState;
  reason: string | null;
  reference: string | null;
  placedBy: string;
  currency: string;
  totalMinor: number;
  paymentId: string | null;
  sagaId: string;
  cancelRequestedAt: Date | null;
  items: OrderItem[];
}

export const orders: Resource<OrderRow> = {
  table: plainSql`records.sales_order`,
  columns: {
    ...commonColumns,
    state: {
      sql: plainSql`state`,
      selected: plainSql`state`,
      type: "text",
      operators: ["eq", "in"],
      isSortable: false,
    },
    reason: { sql: plainSql`reason`, selected: plainSql`reason`, type: "text", operators: [], isSortable: false },
    reference: {
      sql: plainSql`reference`,
      selected: plainSql`reference`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: false,
    },
    placedBy: {
      sql: plainSql`placed_by`,
      selected: plainSql`placed_by as "placedBy"`,
      type: "id",
      operators: ["eq", "in"],
      isSortable: false,
    },
    currency: { sql: plainSql`currency`, selected: plainSql`currency`, type: "text", operators: [], isSortable: false },
    totalMinor: {
      sql: plainSql`total_minor`,
      selected: plainSql`total_minor as "totalMinor"`,
      type: "integer",
      operators: ["eq", "in", "gt", "gte", "lt", "lte"],
      isSortable: true,
    },
    paymentId: {
      sql: plainSql`payment_id`,
      selected: plainSql`payment_id as "paymentId"`,
      type: "text",
      operators: [],
      isSortable: false,
    },
    sagaId: {
      sql: plainSql`saga_id`,
      selected: plainSql`saga_id as "sagaId"`,
      type: "id",
      operators: [],
      isSortable: false,
    },
    cancelRequestedAt: {
      sql: plainSql`cancel_requested_at`,
      selected: plainSql`cancel_requested_at as "cancelRequestedAt"`,
      type: "moment",
      operators: [],
      isSortable: false,
    },
    items: {
      sql: plainSql`item_count`,
      selected: plainSql`(select json_agg(json_build_object('productId', i.product_id, 'sku', i.sku, 'name', i.name, 'quantity', i.quantity,
        'unitPriceMinor', i.unit_price_minor, 'amountMinor', i.amount_minor) order by i.position)
        from records.order_item i where i.tenant_id = t.tenant_id and i.order_id = t.id) as items`,
      type: "text",
      operators: [],
      isSortable: false,
    },
  },
  includes: {},
};

/** The fields that a change may set. */
export const orderSettings = {
  reference: { set: plainSql`reference =`, cast: plainSql`::text` },
} as const satisfies Readonly<Record<string, Setting>>;

export interface OfferedProduct {
  id: string;
  sku: string;
  name: string;
  priceMinor: number;
  currency: string;
}

const OFFERED = plainSql`select id, sku, name, price_minor as "priceMinor", currency from records.product
  where tenant_id = $1 and id = any($2::uuid[]) and deleted_at is null limit 50`;

/** Living products of these ids. */
export const productListOffered = (ask: Ask, tenantId: string, ids: readonly string[]): Promise<OfferedProduct[]> =>
  ask(OFFERED, [tenantId, ids]);

export interface NewOrder extends Pick<OrderRow, "reference" | "placedBy" | "currency" | "totalMinor" | "sagaId"> {
  paymentToken: string;
  items: readonly OrderItem[];
}

const INSERT = plainSql`with made as (
    insert into records.sales_order (tenant_id, id, reference, placed_by, currency, total_minor, item_count, saga_id, payment_token, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, cardinality($9::uuid[]), $7, $8, now(), now()) returning *
  ), items as (
    insert into records.order_item (tenant_id, order_id, position, product_id, sku, name, quantity, unit_price_minor)
    select $1, $2, i.position, i.product_id, i.sku, i.name, i.quantity, i.price
      from unnest($9::uuid[], $10::text[], $11::text[], $12::int[], $13::bigint[]) with ordinality as i (product_id, sku, name, quantity, price, position)
  ) select id, version, created_at as "createdAt", updated_at as "updatedAt", deleted_at as "deletedAt", state, reason, reference,
      placed_by as "placedBy", currency, total_minor as "totalMinor", payment_id as "paymentId", saga_id as "sagaId",
      cancel_requested_at as "cancelRequestedAt" from made`;

/** An order and its items, in one statement; the table holds the total to the items. */
export async function orderInsert(ask: Ask, { tenantId, id }: Place, order: NewOrder): Promise<OrderRow> {
  const { reference, placedBy, currency, totalMinor, sagaId, paymentToken, items } = order;
  const columns = [
    items.map(({ productId }) => productId),
    items.map(({ sku }) => sku),
    items.map(({ name }) => name),
    items.map(({ quantity }) => quantity),
    items.map(({ unitPriceMinor }) => unitPriceMinor),
  ];
  const params = [tenantId, id, reference, placedBy, currency, totalMinor, sagaId, paymentToken, ...columns];
  return { ...inserted(await ask<Omit<OrderRow, "items">>(INSERT, params)), items: [...items] };
}

/** What steps need to know of it. */
export interface OrderFacts {
  id: string;
  state: OrderState;
  placedBy: string;
  currency: string;
  totalMinor: number;
  isCanceling: boolean;
}

const FACTS = plainSql`id, state, placed_by as "placedBy", currency, total_minor as "totalMinor", cancel_requested_at is not null as "isCanceling"`;
const LOCK = plainSql`select ${FACTS} from records.sales_order where tenant_id = $1 and id = $2 for no key update`;

/** Locks the order: whoever cancels it has done so before, or waits. */
export async function orderLock(tx: Tx, { tenantId, id }: Place): Promise<OrderFacts | undefined> {
  return (await tx.query<OrderFacts>(LOCK, [tenantId, id]))[0];
}

const LOCK_OF_SAGA = plainSql`select ${FACTS} from records.sales_order where tenant_id = $1 and saga_id = $2 for no key update`;

export async function orderLockOfSaga(tx: Tx, tenantId: string, sagaId: string): Promise<OrderFacts | undefined> {
  return (await tx.query<OrderFacts>(LOCK_OF_SAGA, [tenantId, sagaId]))[0];
}

const MOVE = plainSql`update records.sales_order
    set state = $3, reason = $4, payment_id = coalesce($5, payment_id),
        payment_token = case when $3 = 'reserved' then payment_token end, version = version + 1, updated_at = now()
  where tenant_id = $1 and id = $2 returning ${FACTS}`;

/** The table refuses a state that does not follow (order_state_follows). Past the payment nothing is left of its token. */
export async function orderMove(
  ask: Ask,
  { tenantId, id }: Place,
  to: { state: OrderState; reason?: string; paymentId?: string | undefined },
): Promise<OrderFacts> {
  return inserted(await ask<OrderFacts>(MOVE, [tenantId, id, to.state, to.reason ?? null, to.paymentId ?? null]));
}

const PAYMENT_TOKEN = plainSql`select payment_token as token from records.sales_order where tenant_id = $1 and id = $2`;

/** What it is to be charged with; undefined when that is over. */
export async function orderPaymentToken(ask: Ask, { tenantId, id }: Place): Promise<string | undefined> {
  return (await ask<{ token: string | null }>(PAYMENT_TOKEN, [tenantId, id]))[0]?.token ?? undefined;
}

const FORGET_PAYMENT_TOKEN = plainSql`update records.sales_order set payment_token = null where tenant_id = $1 and id = $2`;

/** Doing it again changes nothing. */
export async function orderForgetPaymentToken(ask: Ask, { tenantId, id }: Place): Promise<void> {
  await ask(FORGET_PAYMENT_TOKEN, [tenantId, id]);
}

const REQUEST_CANCEL = plainSql`update records.sales_order as t
    set cancel_requested_at = coalesce(cancel_requested_at, now()), version = version + 1, updated_at = now()
  where tenant_id = $1 and id = $2 and ($3::bigint[] is null or version = any($3::bigint[])) and deleted_at is null
    and state in ('pending', 'reserved', 'paid') returning saga_id as "sagaId"`;

/** Of one that is under way: no step of it is done from now on. Undefined when there is none, or of another version. */
export async function orderRequestCancel(
  ask: Ask,
  { tenantId, id, versions }: Target,
): Promise<{ sagaId: string } | undefined> {
  return (await ask<{ sagaId: string }>(REQUEST_CANCEL, [tenantId, id, versions]))[0];
}

const LOCK_PRODUCTS = plainSql`select 1 from records.product p
  where p.tenant_id = $1 and p.id = any(array(select i.product_id from records.order_item i where i.tenant_id = $1 and i.order_id = $2))
  order by p.id for no key update of p`;
const TAKE_STOCK = plainSql`with taken as (
    update records.product p set stock = p.stock - i.quantity, updated_at = now()
      from records.order_item i
     where i.tenant_id = $1 and i.order_id = $2 and p.tenant_id = $1 and p.id = i.product_id and p.deleted_at is null and p.stock >= i.quantity
    returning 1
  ) select o.item_count = (select count(*) from taken) as "isWhole" from records.sales_order o where o.tenant_id = $1 and o.id = $2`;
const GIVE_STOCK = plainSql`update records.product p set stock = least(p.stock::bigint + i.quantity, 2147483647), updated_at = now()
  from records.order_item i
  where i.tenant_id = $1 and i.order_id = $2 and p.tenant_id = $1 and p.id = i.product_id`;

/**
 * Takes all items of the order off the stock, or says false: then the transaction must not commit. Products are locked in the order of
 * their ids first, so that orders of the same ones wait for each other in no circle. They are the same versions afterwards.
 */
export async function orderTakeStock(tx: Tx, { tenantId, id }: Place): Promise<boolean> {
  tx.executeLater(LOCK_PRODUCTS, [tenantId, id]);
  const [taken] = await tx.query<{ isWhole: boolean }>(TAKE_STOCK, [tenantId, id]);
  return taken?.isWhole ?? false;
}

/** Gives back what orderTakeStock took, to products that were deleted meanwhile too. */
export async function orderGiveStock(tx: Tx, { tenantId, id }: Place): Promise<void> {
  tx.executeLater(LOCK_PRODUCTS, [tenantId, id]);
  await tx.execute(GIVE_STOCK, [tenantId, id]);
}
