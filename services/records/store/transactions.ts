// The SQL of the ledger's transactions. They are posted whole, by one statement, and then never change.
import { plainSql } from "../../../db/plain-statement";
import type { ListedRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";
import { inserted, type Place } from "./change";
import { listedColumns } from "./columns";

export type TransactionOrigin = "manual" | "reversal" | "order_payment" | "order_refund";

export interface Entry {
  accountId: string;
  amountMinor: number;
  currency: string;
}

export interface TransactionRow extends ListedRow {
  origin: TransactionOrigin;
  orderId: string | null;
  reversesId: string | null;
  reversedById: string | null;
  description: string | null;
  reference: string | null;
  postedBy: string;
  bookedAt: Date;
  entries: Entry[];
}

export const transactions: Resource<TransactionRow> = {
  table: plainSql`records.ledger_transaction`,
  isAppendOnly: true,
  columns: {
    ...listedColumns,
    bookedAt: {
      sql: plainSql`booked_at`,
      selected: plainSql`booked_at as "bookedAt"`,
      type: "moment",
      operators: ["gt", "gte", "lt", "lte"],
      isSortable: true,
    },
    origin: {
      sql: plainSql`origin`,
      selected: plainSql`origin`,
      type: "text",
      operators: ["eq", "in"],
      isSortable: false,
    },
    orderId: {
      sql: plainSql`order_id`,
      selected: plainSql`order_id as "orderId"`,
      type: "id",
      operators: ["eq", "in"],
      isSortable: false,
    },
    reference: {
      sql: plainSql`reference`,
      selected: plainSql`reference`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: false,
    },
    description: {
      sql: plainSql`description`,
      selected: plainSql`description`,
      type: "text",
      operators: [],
      isSortable: false,
    },
    reversesId: {
      sql: plainSql`reverses_id`,
      selected: plainSql`reverses_id as "reversesId"`,
      type: "id",
      operators: ["eq", "in"],
      isSortable: false,
    },
    reversedById: {
      sql: plainSql`id`,
      selected: plainSql`(select r.id from records.ledger_transaction r where r.tenant_id = t.tenant_id and r.reverses_id = t.id) as "reversedById"`,
      type: "id",
      operators: [],
      isSortable: false,
    },
    postedBy: {
      sql: plainSql`posted_by`,
      selected: plainSql`posted_by as "postedBy"`,
      type: "id",
      operators: [],
      isSortable: false,
    },
    entries: {
      sql: plainSql`entry_count`,
      selected: plainSql`(select json_agg(json_build_object('accountId', e.account_id, 'amountMinor', e.amount_minor, 'currency', e.currency) order by e.position)
        from records.ledger_entry e where e.tenant_id = t.tenant_id and e.transaction_id = t.id) as entries`,
      type: "text",
      operators: [],
      isSortable: false,
    },
  },
  includes: {
    accounts: plainSql`(select json_agg(json_build_object('id', a.id, 'code', a.code, 'name', a.name, 'kind', a.kind) order by a.code)
      from records.account a where a.tenant_id = t.tenant_id and a.id in (
        select e.account_id from records.ledger_entry e where e.tenant_id = t.tenant_id and e.transaction_id = t.id)) as accounts`,
  },
};

export type NewTransaction = Pick<
  TransactionRow,
  "origin" | "orderId" | "reversesId" | "description" | "reference" | "postedBy"
> & {
  /** Null: now. */
  bookedAt: Date | null;
  entries: readonly Entry[];
};

const INSERT = plainSql`with made as (
    insert into records.ledger_transaction
      (tenant_id, id, origin, order_id, reverses_id, description, reference, posted_by, booked_at, created_at, entry_count)
    values ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9::timestamptz, now()), now(), cardinality($10::uuid[])) returning *
  ), entries as (
    insert into records.ledger_entry (tenant_id, transaction_id, position, account_id, amount_minor, currency, booked_at)
    select $1, $2, e.position, e.account_id, e.amount, e.currency, made.booked_at
      from unnest($10::uuid[], $11::bigint[], $12::text[]) with ordinality as e (account_id, amount, currency, position), made
  ) select id, created_at as "createdAt", origin, order_id as "orderId", reverses_id as "reversesId", null as "reversedById", description,
      reference, posted_by as "postedBy", booked_at as "bookedAt" from made`;

/** A transaction and its entries; the tables hold them to come to nought, to be of living accounts and to stay. */
export async function transactionInsert(
  ask: Ask,
  { tenantId, id }: Place,
  transaction: NewTransaction,
): Promise<TransactionRow> {
  const { origin, orderId, reversesId, description, reference, postedBy, bookedAt, entries } = transaction;
  const columns = [
    entries.map(({ accountId }) => accountId),
    entries.map(({ amountMinor }) => amountMinor),
    entries.map(({ currency }) => currency),
  ];
  const params = [tenantId, id, origin, orderId, reversesId, description, reference, postedBy, bookedAt, ...columns];
  return { ...inserted(await ask<Omit<TransactionRow, "entries">>(INSERT, params)), entries: [...entries] };
}
