// The SQL of budgets that is theirs alone; lists and changes are every record's (db/listing/, change.ts). Periods are cut as the calendar of the
// budget's zone has them, by the database, which knows when clocks are changed there.
import { plainSql } from "../../../db/plain-statement";
import type { Tx } from "../../../db/tenant";
import type { RecordRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";
import type { Place, Setting } from "./change";
import { commonColumns } from "./columns";

export type BudgetPeriodName = "month" | "quarter" | "year";

export interface BudgetPeriod {
  startsAt: string;
  endsAt: string;
  spentMinor: number;
}

export interface BudgetRow extends RecordRow {
  name: string;
  accountId: string;
  currency: string;
  amountMinor: number;
  period: BudgetPeriodName;
  timeZone: string;
  thresholds: number[];
  current: BudgetPeriod;
}

/** What JavaScript counts exactly; more than that is shown as that. */
const SPENT = plainSql`least(greatest(p.spent_minor, -9007199254740991), 9007199254740991)::bigint`;
const ISO = plainSql`'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

export const budgets: Resource<BudgetRow> = {
  table: plainSql`records.budget`,
  columns: {
    ...commonColumns,
    name: {
      sql: plainSql`name`,
      selected: plainSql`name`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: true,
    },
    accountId: {
      sql: plainSql`account_id`,
      selected: plainSql`account_id as "accountId"`,
      type: "id",
      operators: ["eq", "in"],
      isSortable: false,
    },
    currency: { sql: plainSql`currency`, selected: plainSql`currency`, type: "text", operators: [], isSortable: false },
    amountMinor: {
      sql: plainSql`amount_minor`,
      selected: plainSql`amount_minor as "amountMinor"`,
      type: "integer",
      operators: [],
      isSortable: false,
    },
    period: { sql: plainSql`period`, selected: plainSql`period`, type: "text", operators: [], isSortable: false },
    timeZone: {
      sql: plainSql`zone`,
      selected: plainSql`zone as "timeZone"`,
      type: "text",
      operators: [],
      isSortable: false,
    },
    thresholds: {
      sql: plainSql`thresholds`,
      selected: plainSql`thresholds`,
      type: "text",
      operators: [],
      isSortable: false,
    },
    current: {
      sql: plainSql`starts_at`,
      selected: plainSql`(select json_build_object(
          'startsAt', to_char(c.starts_at at time zone 'UTC', ${ISO}), 'endsAt', to_char(c.ends_at at time zone 'UTC', ${ISO}),
          'spentMinor', coalesce((select ${SPENT} from records.budget_period p
             where p.tenant_id = t.tenant_id and p.budget_id = t.id and p.starts_at = c.starts_at), 0))
        from records.period_at(t.period, t.zone, now()) c) as current`,
      type: "text",
      operators: [],
      isSortable: false,
    },
  },
  includes: {
    periods: plainSql`(select coalesce(json_agg(json_build_object(
          'startsAt', to_char(p.starts_at at time zone 'UTC', ${ISO}), 'endsAt', to_char(p.ends_at at time zone 'UTC', ${ISO}), 'spentMinor', ${SPENT})
          order by p.starts_at desc), '[]')
        from (select * from records.budget_period p where p.tenant_id = t.tenant_id and p.budget_id = t.id order by p.starts_at desc limit 24) p) as periods`,
  },
};

/** The fields that a change may set. What is counted stays. */
export const budgetSettings = {
  name: { set: plainSql`name =`, cast: plainSql`::text` },
  amountMinor: { set: plainSql`amount_minor =`, cast: plainSql`::bigint` },
  thresholds: { set: plainSql`thresholds =`, cast: plainSql`::int[]` },
} as const satisfies Readonly<Record<string, Setting>>;

export type NewBudget = Pick<
  BudgetRow,
  "name" | "accountId" | "currency" | "amountMinor" | "period" | "timeZone" | "thresholds"
>;

/** So many of an account, deleted ones too: each entry of it changes them all. */
export const BUDGETS_OF_ACCOUNT_MAX = 100;

const LOCK_LEDGER = plainSql`select pg_advisory_xact_lock(hashtextextended('records.ledger ' || $1::text, 0))`;
const INSERT = plainSql`insert into records.budget
    (tenant_id, id, name, account_id, currency, amount_minor, period, zone, thresholds, starts_at, counted_to, created_at, updated_at)
  select $1, $2, $3, a.id, $5, $6, $7::text, $8::text, $9::int[], (records.period_at($7, $8, now())).starts_at,
         (select case when s.is_called then s.last_value else 0 end from records.posting s), now(), now()
    from records.account a
   where a.tenant_id = $1 and a.id = $4 and a.deleted_at is null
     and (select count(*) from (select 1 from records.budget b where b.tenant_id = $1 and b.account_id = $4 limit 100) as of_account) < 100
     for key share of a
  returning id`;
/**
 * From one period in which something was booked to the next, each found by the account's index: an account has many entries, and all wait
 * meanwhile who post.
 */
const COUNT_POSTED = plainSql`with recursive
    made as (select account_id, currency, period, zone, starts_at from records.budget where tenant_id = $1 and id = $2),
    spent (starts_at, ends_at) as (
      select d.starts_at, d.ends_at
        from made b,
             lateral (select min(e.booked_at) as at from records.ledger_entry e
                       where e.tenant_id = $1 and e.account_id = b.account_id and e.currency = b.currency and e.booked_at >= b.starts_at) first,
             records.period_at(b.period, b.zone, first.at) d
       where first.at is not null
      union all
      select d.starts_at, d.ends_at
        from spent s, made b,
             lateral (select min(e.booked_at) as at from records.ledger_entry e
                       where e.tenant_id = $1 and e.account_id = b.account_id and e.currency = b.currency and e.booked_at >= s.ends_at) next,
             records.period_at(b.period, b.zone, next.at) d
       where next.at is not null)
  insert into records.budget_period as p (tenant_id, budget_id, starts_at, ends_at, spent_minor)
  select $1, $2, s.starts_at, s.ends_at, (
           select sum(e.amount_minor) from records.ledger_entry e
            where e.tenant_id = $1 and e.account_id = b.account_id and e.currency = b.currency
              and e.booked_at >= s.starts_at and e.booked_at < s.ends_at)
    from spent s, made b`;

/**
 * A budget, and what was booked from its first period on. Nobody of the tenant's posts meanwhile (migrations/81_create_budgets.up.sql), so that what is posted is counted here or by its
 * event, and never by both. False when there is no such account, or as many budgets of it as there may be.
 */
export async function budgetInsert(tx: Tx, ask: Ask, { tenantId, id }: Place, budget: NewBudget): Promise<boolean> {
  const { name, accountId, currency, amountMinor, period, timeZone, thresholds } = budget;
  tx.executeLater(LOCK_LEDGER, [tenantId]);
  const params = [tenantId, id, name, accountId, currency, amountMinor, period, timeZone, thresholds];
  const made = await ask(INSERT, params);
  if (made.length === 0) return false;
  await tx.execute(COUNT_POSTED, [tenantId, id]);
  return true;
}

const COUNT_TRANSACTION = plainSql`insert into records.budget_period as p (tenant_id, budget_id, starts_at, ends_at, spent_minor)
  select $1, b.id, d.starts_at, d.ends_at, sum(e.amount_minor)
    from records.ledger_transaction t
    join records.ledger_entry e on e.tenant_id = $1 and e.transaction_id = t.id
    join records.budget b on b.tenant_id = $1 and b.account_id = e.account_id and b.currency = e.currency
     and b.counted_to < t.number and b.starts_at <= t.booked_at,
         records.period_at(b.period, b.zone, t.booked_at) d
   where t.tenant_id = $1 and t.id = $2
   group by b.id, d.starts_at, d.ends_at
   order by b.id
  on conflict (tenant_id, budget_id, starts_at) do update set spent_minor = p.spent_minor + excluded.spent_minor
  returning budget_id as id, starts_at as "startsAt"`;

/** Of a budget; by the moment that it starts at. */
export interface PeriodPlace {
  id: string;
  startsAt: Date | string;
}

/**
 * Adds what a transaction moved to the budgets of its accounts; resolves with their periods that it is of, which are locked in the order of their
 * budgets. To be done once for each.
 */
export const budgetCount = (tx: Tx, tenantId: string, transactionId: string): Promise<PeriodPlace[]> =>
  tx.query(COUNT_TRANSACTION, [tenantId, transactionId]);

export interface ToldPeriod {
  id: string;
  accountId: string;
  currency: string;
  amountMinor: number;
  startsAt: Date;
  endsAt: Date;
  spentMinor: number;
  /** The threshold that is reached. */
  percent: number;
}

/** What was booked past the years that an event can name, when it still could be, is counted and not told. */
const TELL = plainSql`with reached as (
    select b.id, b.account_id, b.currency, b.amount_minor, q.starts_at,
           (select max(t) from unnest(b.thresholds) t where t > q.told_percent and t * b.amount_minor::numeric <= q.spent_minor * 100) as percent
      from unnest($2::uuid[], $3::timestamptz[]) as of_these (budget_id, starts_at)
      join records.budget b on b.tenant_id = $1 and b.id = of_these.budget_id and b.deleted_at is null
      join records.budget_period q on q.tenant_id = $1 and q.budget_id = b.id and q.starts_at = of_these.starts_at and q.ends_at < '9999-12-31Z'
     order by b.id for no key update of q)
  update records.budget_period p set told_percent = r.percent
    from reached r
   where p.tenant_id = $1 and p.budget_id = r.id and p.starts_at = r.starts_at and r.percent is not null
  returning r.id, r.account_id as "accountId", r.currency, r.amount_minor as "amountMinor", p.starts_at as "startsAt", p.ends_at as "endsAt",
            ${SPENT} as "spentMinor", r.percent`;

/** Those of these periods in which a threshold is reached that was not told, by the highest of these: from now on told. */
export const budgetTell = (tx: Tx, tenantId: string, periods: readonly PeriodPlace[]): Promise<ToldPeriod[]> =>
  tx.query(TELL, [tenantId, periods.map(({ id }) => id), periods.map(({ startsAt }) => startsAt)]);
