// Statements on ai.spending, ai.reservation and ai.usage. Rows of spending are locked in the order of the slots, everywhere
// the same one, so that two calls never wait for each other in a circle.
import type { Tx } from "../../../db/tenant";
import { tenantQuery, type TenantScope } from "../../../db/tenant";

export type Period = "day" | "month";

/** One row of spending. */
export interface Slot {
  subject: string;
  period: Period;
  /** YYYY-MM-DD. */
  startsOn: string;
}

const columnsOf = (slots: readonly Slot[]): [string[], string[], string[]] => [
  slots.map(({ subject }) => subject),
  slots.map(({ period }) => period),
  slots.map(({ startsOn }) => startsOn),
];

export interface ReservedRow {
  subject: string;
  period: Period;
  /** Spent and reserved, with this reservation. */
  total: number;
}

/** Adds `amount` to what is reserved in each slot and answers the sums; the rows stay locked until the transaction ends. */
export function spendingReserve(
  tx: Tx,
  tenantId: string,
  slots: readonly Slot[],
  amount: number,
): Promise<ReservedRow[]> {
  return tx.query(
    `insert into ai.spending as s (tenant_id, subject, period, starts_on, reserved_micro_usd)
     select $1, k.subject, k.period, k.starts_on, $5
       from unnest($2::text[], $3::text[], $4::date[]) with ordinality as k (subject, period, starts_on, place) order by k.place
     on conflict (tenant_id, subject, period, starts_on) do update set reserved_micro_usd = s.reserved_micro_usd + excluded.reserved_micro_usd
     returning s.subject, s.period, s.spent_micro_usd + s.reserved_micro_usd as total`,
    [tenantId, ...columnsOf(slots), amount],
  );
}

export interface ReservationRow {
  id: string;
  tenantId: string;
  subject: string;
  /** YYYY-MM-DD, as all dates here. */
  day: string;
  kind: string;
  provider: string;
  model: string;
  keyOf: "installation" | "organisation";
  priceList: number;
  amount: number;
}

/** Travels with the commit. It expires by the database's clock. */
export function reservationInsert(tx: Tx, row: ReservationRow, expiresInMs: number): void {
  tx.executeLater(
    `insert into ai.reservation (id, tenant_id, subject, day, kind, provider, model, key_of, price_list, amount_micro_usd, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11 * interval '1 millisecond')`,
    [
      ...[row.id, row.tenantId, row.subject, row.day, row.kind, row.provider, row.model],
      ...[row.keyOf, row.priceList, row.amount, expiresInMs],
    ],
  );
}

const RESERVATION = `id, tenant_id as "tenantId", subject, day::text as day, kind, provider, model, key_of as "keyOf", price_list as "priceList", amount_micro_usd as amount`;

/** Takes a reservation away; undefined when it is gone: whoever gets it settles it, once. */
export async function reservationTake(tx: Tx, tenantId: string, id: string): Promise<ReservationRow | undefined> {
  const rows = await tx.query<ReservationRow>(
    `delete from ai.reservation where tenant_id = $1 and id = $2 returning ${RESERVATION}`,
    [tenantId, id],
  );
  return rows[0];
}

export interface ExpiredRow {
  id: string;
  tenantId: string;
  /** As a text, which keeps the microseconds. */
  expiresAt: string;
}

/** Of processes that died, of all organisations, the oldest first, behind `after` if it is given. */
export function reservationListExpired(tx: Tx, limit: number, after?: ExpiredRow): Promise<ExpiredRow[]> {
  return tx.query(
    `select id, tenant_id as "tenantId", expires_at::text as "expiresAt" from ai.reservation
      where expires_at < now() and ($2::timestamptz is null or (expires_at, id) > ($2::timestamptz, $3::uuid))
      order by expires_at, id limit $1`,
    [limit, after?.expiresAt ?? null, after?.id ?? null],
  );
}

export interface Spent {
  cost: number;
  calls: number;
  inputTokens: number;
  outputTokens: number;
}

/** What was reserved in the slots becomes what was spent. */
export async function spendingSettle(
  tx: Tx,
  tenantId: string,
  slots: readonly Slot[],
  reserved: number,
  { cost, calls, inputTokens, outputTokens }: Spent,
): Promise<void> {
  await tx.execute(
    `with held as (
       select s.subject, s.period, s.starts_on
         from unnest($2::text[], $3::text[], $4::date[]) with ordinality as k (subject, period, starts_on, place)
         join ai.spending s on s.tenant_id = $1 and s.subject = k.subject and s.period = k.period and s.starts_on = k.starts_on
        order by k.place for update of s
     )
     update ai.spending s
        set reserved_micro_usd = s.reserved_micro_usd - $5, spent_micro_usd = s.spent_micro_usd + $6,
            calls = s.calls + $7, input_tokens = s.input_tokens + $8, output_tokens = s.output_tokens + $9
       from held
      where s.tenant_id = $1 and s.subject = held.subject and s.period = held.period and s.starts_on = held.starts_on`,
    [tenantId, ...columnsOf(slots), reserved, cost, calls, inputTokens, outputTokens],
  );
}

export interface UsageRow extends ReservationRow {
  outcome: "answered" | "cut" | "failed" | "expired";
  inputTokens: number;
  outputTokens: number;
  cost: number;
}

/** Travels with the commit. */
export function usageInsert(tx: Tx, row: UsageRow): void {
  tx.executeLater(
    `insert into ai.usage (id, tenant_id, subject, kind, provider, model, key_of, price_list, outcome, input_tokens, output_tokens, cost_micro_usd)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      ...[row.id, row.tenantId, row.subject, row.kind, row.provider, row.model, row.keyOf, row.priceList],
      ...[row.outcome, row.inputTokens, row.outputTokens, row.cost],
    ],
  );
}

export interface SpendingRow {
  subject: string;
  period: Period;
  spent: number;
  reserved: number;
  calls: number;
  inputTokens: number;
  outputTokens: number;
}

/** What was spent in a day and in a month, by subject, who spent most first; the organisation's own rows among the first. */
export function spendingList(
  scope: TenantScope,
  { day, month }: { day: string; month: string },
  limit: number,
): Promise<SpendingRow[]> {
  return tenantQuery(
    scope,
    `select subject, period, spent_micro_usd as spent, reserved_micro_usd as reserved, calls, input_tokens as "inputTokens", output_tokens as "outputTokens"
       from ai.spending
      where tenant_id = $1 and ((period = 'day' and starts_on = $2::date) or (period = 'month' and starts_on = $3::date))
      order by spent_micro_usd + reserved_micro_usd desc, subject, period limit $4`,
    [scope.tenantId, day, month, limit],
  );
}

/** Of periods that began before a day. Skips what another run removes. */
export function spendingPurge(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from ai.spending s using (
       select tenant_id, subject, period, starts_on from ai.spending
        where starts_on < current_date - $1::int order by starts_on limit $2 for update skip locked) old
      where s.tenant_id = old.tenant_id and s.subject = old.subject and s.period = old.period and s.starts_on = old.starts_on`,
    [keepDays, limit],
  );
}

export function usagePurge(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from ai.usage where id in (
       select id from ai.usage where at < now() - $1 * interval '1 day' order by at limit $2 for update skip locked)`,
    [keepDays, limit],
  );
}
