// The endpoints of orders.
import { api, type Header, type HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { newId } from "../../../db/ids";
import { parseInput } from "../../../security/input";
import { deleteRecord, patchRecord, restoreRecord } from "../changes";
import { newOrder, orderPatch } from "../input";
import { listRecords } from "../../../db/listing/lists";
import { cancelOrder as cancel, orderKind, placeOrder } from "../orders";
import { etagOf } from "../precondition";
import { acting, changeOf, createdAt, readRecord } from "../requests";
import { shownRecord } from "../../../db/listing/resource";
import { orders, type OrderRow } from "../store/orders";

/** As it was agreed, whatever becomes of the product. */
interface OrderedItem {
  productId: string;
  sku: string;
  name: string;
  quantity: number;
  /** In the order's currency's smallest unit. */
  unitPriceMinor: number;
  /** The price of so many. */
  amountMinor: number;
}

interface OrderResponse {
  id: string;
  /** Counts up with each change. */
  version: number;
  /** The first four follow each other; from each of the first three it may come to one of the last two. */
  state: "pending" | "reserved" | "paid" | "confirmed" | "cancelled" | "failed";
  /** Why it was cancelled or failed, in one lower_snake word. */
  reason?: string;
  /** Whoever orders calls it so. */
  reference?: string;
  /** The id of who ordered. */
  placedBy: string;
  /** ISO 4217. */
  currency: string;
  /** What its items come to, in the currency's smallest unit. */
  totalMinor: number;
  items: OrderedItem[];
  /** The payment provider's id, once it is paid; none where there was nothing to pay. */
  paymentId?: string;
  /** Of the saga that brings it to its end: GET /sagas/:id tells how far it is. */
  sagaId: string;
  /** Since when it is to be called off. */
  cancelRequestedAt?: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** Since when it is deleted. */
  deletedAt?: string;
  /** What If-Match takes. */
  etag?: Header<"ETag">;
}

/** In a list: the fields that the request names, or all. */
interface ListedOrder {
  id: string;
  version: number;
  state?: "pending" | "reserved" | "paid" | "confirmed" | "cancelled" | "failed";
  reason?: string;
  reference?: string;
  placedBy?: string;
  currency?: string;
  totalMinor?: number;
  items?: OrderedItem[];
  paymentId?: string;
  sagaId?: string;
  cancelRequestedAt?: string;
  createdAt?: string;
  updatedAt?: string;
  deletedAt?: string;
}

const withEtag = (row: OrderRow): OrderResponse => ({ ...shownRecord(row), etag: etagOf(row) });

interface WantedItem {
  productId: string;
  quantity: number & Min<1> & Max<1000000>;
}

interface CreatedOrder extends OrderResponse {
  /** 201. */
  status: HttpStatus;
  /** Where it is read. */
  location: Header<"Location">;
}

const created = (row: OrderRow): CreatedOrder => createdAt("/api/v1/orders", withEtag(row));

interface CreateOrderRequest {
  /** Each product once, all with prices in one currency. */
  items: WantedItem[] & MinLen<1> & MaxLen<50>;
  /** What the payment provider's own form gave for the means of payment. In development `development-approved` is charged, every other one declined. */
  paymentToken: string & MinLen<1> & MaxLen<2000>;
  /** Whoever orders calls it so. */
  reference?: string & MinLen<1> & MaxLen<800>;
}

/** Orders products at the prices of now. Stock is reserved and payment taken behind the answer: `state` says how far it is. */
export const createOrder = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/orders",
    tags: ["can:order.write", "idempotent"],
  },
  async (req: CreateOrderRequest): Promise<CreatedOrder> =>
    created(await placeOrder(acting().principal, newId(), parseInput(newOrder, req))),
);

interface GetOrderRequest {
  id: string;
}

/** An order, with its items. */
export const getOrder = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/orders/:id", tags: ["can:order.read"] },
  async ({ id }: GetOrderRequest): Promise<OrderResponse> => {
    const row = await readRecord(acting(), orders, { id }, orderKind.missing);
    return withEtag(row);
  },
);

interface ListOrdersRequest {
  /** From 1, instead of a cursor, for the first ten thousand. */
  page?: Query<number & Min<1> & Max<10001>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `createdAt`, `totalMinor`, both with a comma between, each with `-` before it for downwards. `-createdAt` if not given. */
  sort?: Query<string & MaxLen<200>>;
  /** `next` of the page before. */
  cursor?: Query<string & MaxLen<4096>>;
  /** Names of fields, with commas between; all if not given. `id` and `version` are always there. */
  fields?: Query<string & MaxLen<400>>;
  /** Those that were deleted, instead. */
  deleted?: Query<boolean>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`: each filter that is given holds. */
  state?: Query<string[]>;
  /** `eq.`, `in.`, `starts.` */
  reference?: Query<string[]>;
  /** `eq.`, `in.` */
  placedBy?: Query<string[]>;
  /** `eq.`, `in.`, `gt.`, `gte.`, `lt.`, `lte.` */
  totalMinor?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListOrdersResponse {
  items: ListedOrder[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's orders that fit, in the order asked for. */
export const listOrders = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/orders", tags: ["can:order.read"] },
  ({ page, limit, sort, cursor, fields, deleted, ...filters }: ListOrdersRequest): Promise<ListOrdersResponse> =>
    listRecords(acting().principal, orders, { page, limit, sort, cursor, fields, deleted, filters }),
);

interface PatchOrderRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
  /** Null takes it away. */
  reference?: (string & MaxLen<800>) | null;
}

/** Changes what an order is called. What was agreed stays. */
export const updateOrder = api(
  { expose: true, auth: true, method: "PATCH", path: "/api/v1/orders/:id", tags: ["can:order.write", "idempotent"] },
  async ({ id, ifMatch, ...req }: PatchOrderRequest): Promise<OrderResponse> => {
    const act = acting();
    const change = changeOf(act, { id, ifMatch }, orderKind.missing);
    return withEtag(await patchRecord(act.ask, orderKind, change, parseInput(orderPatch, req)));
  },
);

interface CancelOrderRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Calls an order off that is under way: stock and payment are given back behind the answer, and `state` is `cancelled` then. */
export const cancelOrder = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/orders/:id/cancel",
    tags: ["can:order.write", "idempotent"],
  },
  async ({ id, ifMatch }: CancelOrderRequest): Promise<OrderResponse> => {
    const act = acting();
    return withEtag(await cancel(act.principal, changeOf(act, { id, ifMatch }, orderKind.missing)));
  },
);

interface DeleteOrderRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Deletes an order that has come to its end; POST …/restore brings it back. */
export const removeOrder = api(
  { expose: true, auth: true, method: "DELETE", path: "/api/v1/orders/:id", tags: ["can:order.delete", "idempotent"] },
  async ({ id, ifMatch }: DeleteOrderRequest): Promise<void> => {
    const act = acting();
    await deleteRecord(act.ask, orderKind, changeOf(act, { id, ifMatch }, orderKind.missing));
  },
);

interface RestoreOrderRequest {
  id: string;
  /** The ETag that the deletion left, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Brings a deleted order back. */
export const restoreOrder = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/orders/:id/restore",
    tags: ["can:order.write", "idempotent"],
  },
  async ({ id, ifMatch }: RestoreOrderRequest): Promise<OrderResponse> => {
    const act = acting();
    return withEtag(await restoreRecord(act.ask, orderKind, changeOf(act, { id, ifMatch }, orderKind.missing)));
  },
);
