// The endpoints of the ledger's transactions. What is posted is neither changed nor deleted: there is no PATCH and no DELETE.
import { api, type Header, type HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { isUuid, newId } from "../../../db/ids";
import { withTenant } from "../../../db/tenant";
import { parseInput } from "../../../security/input";
import { errors } from "../errors";
import { newReversal, newTransaction } from "../input";
import { listRecords } from "../../../db/listing/lists";
import { readIncludes } from "../../../db/listing/listing";
import { acting, createdAt, readRecord } from "../requests";
import { doRows } from "../rows";
import { shownRecord } from "../../../db/listing/resource";
import { transactions, type TransactionRow } from "../store/transactions";
import { postTransaction, reverseTransaction as reverse } from "../transactions";

interface PostedEntry {
  accountId: string;
  /** What the account gets, or with a minus gives, in the currency's smallest unit. */
  amountMinor: number;
  /** ISO 4217. */
  currency: string;
}

interface EntryAccount {
  id: string;
  code: string;
  name: string;
  kind: "asset" | "liability" | "equity" | "income" | "expense";
}

interface TransactionResponse {
  id: string;
  /** Who posts: somebody, or an order that is paid or given back. */
  origin: "manual" | "reversal" | "order_payment" | "order_refund";
  /** The order whose money it is. */
  orderId?: string;
  /** The transaction that it takes back. */
  reversesId?: string;
  /** The transaction that takes it back. */
  reversedById?: string;
  description?: string;
  /** Whoever posts it calls it so. */
  reference?: string;
  /** The id of who posted it, or ordered. */
  postedBy: string;
  /** When it took place. */
  bookedAt: string;
  /** ISO 8601. */
  createdAt: string;
  /** In each currency they come to nought. */
  entries: PostedEntry[];
  /** If `include` names it. */
  accounts?: EntryAccount[];
}

/** In a list: the fields that the request names, or all. */
interface ListedTransaction {
  id: string;
  origin?: "manual" | "reversal" | "order_payment" | "order_refund";
  orderId?: string;
  reversesId?: string;
  reversedById?: string;
  description?: string;
  reference?: string;
  postedBy?: string;
  bookedAt?: string;
  createdAt?: string;
  entries?: PostedEntry[];
  accounts?: EntryAccount[];
}

interface CreatedTransaction extends TransactionResponse {
  /** 201. */
  status: HttpStatus;
  /** Where it is read. */
  location: Header<"Location">;
}

const created = (row: TransactionRow): CreatedTransaction => createdAt("/api/v1/transactions", shownRecord(row));

interface NewEntry {
  accountId: string;
  /** Not nought. */
  amountMinor: number & Min<-9007199254740991> & Max<9007199254740991>;
  /** ISO 4217. */
  currency: string & MinLen<3> & MaxLen<3>;
}

interface CreateTransactionRequest {
  /** In each currency they come to nought: what accounts get, others give. */
  entries: NewEntry[] & MinLen<2> & MaxLen<100>;
  description?: string & MinLen<1> & MaxLen<8000>;
  /** Whoever posts it calls it so. */
  reference?: string & MinLen<1> & MaxLen<800>;
  /** When it took place: a date or moment of ISO 8601. Now, if not given. */
  bookedAt?: string & MaxLen<64>;
}

/** Posts a transaction, which stays: a mistake is reversed. */
export const createTransaction = api(
  { expose: true, auth: true, method: "POST", path: "/api/v1/transactions", tags: ["can:ledger.write", "idempotent"] },
  async (req: CreateTransactionRequest): Promise<CreatedTransaction> => {
    const { principal } = acting();
    const transaction = parseInput(newTransaction, req);
    return created(await withTenant(principal, (tx) => postTransaction(tx, principal, newId(), transaction)));
  },
);

interface TransactionRowOutcome {
  /** Its place in the request, from nought. */
  index: number;
  status: "done" | "failed";
  id?: string;
  /** As `details.reason` of an error. */
  reason?: string;
  message?: string;
  fields?: { [field: string]: string };
}

interface TransactionRowsResponse {
  /** One for each row, in the request's order. */
  rows: TransactionRowOutcome[];
}

interface NewEntryOfRow {
  accountId: string;
  amountMinor: number;
  currency: string;
}

interface NewTransactionRow {
  /** At most 100. */
  entries: NewEntryOfRow[];
  description?: string;
  reference?: string;
  bookedAt?: string;
}

interface CreateTransactionsRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: NewTransactionRow[] & MinLen<1> & MaxLen<60>;
}

/** Posts several transactions: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const createTransactions = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/transactions/bulk",
    tags: ["can:ledger.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: CreateTransactionsRequest): Promise<TransactionRowsResponse> => {
    const { principal } = acting();
    return {
      rows: await doRows(principal, rows, (_ask, row, tx) =>
        postTransaction(tx, principal, newId(), parseInput(newTransaction, row)),
      ),
    };
  },
);

interface ReverseTransactionRequest {
  id: string;
  description?: string & MinLen<1> & MaxLen<8000>;
  /** Whoever posts it calls it so. */
  reference?: string & MinLen<1> & MaxLen<800>;
  /** When it took place: a date or moment of ISO 8601. Now, if not given. */
  bookedAt?: string & MaxLen<64>;
}

/** Posts a transaction that takes back what another one moved, once. */
export const reverseTransaction = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/transactions/:id/reverse",
    tags: ["can:ledger.write", "idempotent"],
  },
  async ({ id, ...req }: ReverseTransactionRequest): Promise<CreatedTransaction> => {
    if (!isUuid(id)) throw errors.transaction_not_found();
    const ids = { id: newId(), reversesId: id };
    return created(await reverse(acting().principal, ids, parseInput(newReversal, req)));
  },
);

interface GetTransactionRequest {
  id: string;
  /** What comes with it: `accounts`. */
  include?: Query<string>;
}

/** A transaction, with its entries. */
export const getTransaction = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/transactions/:id", tags: ["can:ledger.read"] },
  async ({ id, include }: GetTransactionRequest): Promise<TransactionResponse> => {
    const includes = readIncludes(transactions, include);
    const row = await readRecord(acting(), transactions, { id, includes }, errors.transaction_not_found);
    return shownRecord(row);
  },
);

interface ListTransactionsRequest {
  /** From 1, instead of a cursor, for the first ten thousand. */
  page?: Query<number & Min<1> & Max<10001>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `createdAt`, `bookedAt`, both with a comma between, each with `-` before it for downwards. `-createdAt` if not given. */
  sort?: Query<string & MaxLen<200>>;
  /** `next` of the page before. */
  cursor?: Query<string & MaxLen<4096>>;
  /** Names of fields, with commas between; all if not given. `id` is always there. */
  fields?: Query<string & MaxLen<400>>;
  /** What comes with each: `accounts`. */
  include?: Query<string & MaxLen<200>>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`: each filter that is given holds. */
  origin?: Query<string[]>;
  /** `eq.`, `in.` */
  orderId?: Query<string[]>;
  /** `eq.`, `in.` */
  reversesId?: Query<string[]>;
  /** `eq.`, `in.`, `starts.` */
  reference?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  bookedAt?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListTransactionsResponse {
  items: ListedTransaction[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's transactions that fit, in the order asked for. */
export const listTransactions = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/transactions", tags: ["can:ledger.read"] },
  ({
    page,
    limit,
    sort,
    cursor,
    fields,
    include,
    ...filters
  }: ListTransactionsRequest): Promise<ListTransactionsResponse> =>
    listRecords(acting().principal, transactions, { page, limit, sort, cursor, fields, include, filters }),
);
