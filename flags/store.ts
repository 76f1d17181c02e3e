// Statements on flags.override.
import { systemQuery, type Tx } from "../db/tenant";
import { declareExport } from "../db/tenant-export";

export interface OverrideRow {
  flag: string;
  value: string;
  reason: string;
  changedBy: string;
  changedAt: Date;
}

/** Those of one organisation that hold, by name; also of flags that are declared no more. */
export function overrideList(tx: Tx, tenantId: string, limit: number): Promise<OverrideRow[]> {
  return tx.query<OverrideRow>(
    `select flag, value, reason, changed_by as "changedBy", changed_at as "changedAt"
     from flags.override where tenant_id = $1 and value is not null order by flag limit $2`,
    [tenantId, limit],
  );
}

/** Sets it, or with null takes it back; resolves with the value before, null for none. Of two at once the second sees the first. */
export async function overridePut(
  tx: Tx,
  override: { tenantId: string; flag: string; value: string | null; reason: string; changedBy: string },
): Promise<string | null> {
  const { tenantId, flag, value, reason, changedBy } = override;
  // The lock first: a statement sees what was there when it began.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('flags:' || $1, 0))`, [tenantId]);
  const rows = await tx.query<{ before: string | null }>(
    `with before as (select value from flags.override where tenant_id = $1 and flag = $2)
     insert into flags.override (tenant_id, flag, value, reason, changed_by) values ($1, $2, $3, $4, $5)
     on conflict (tenant_id, flag) do update set value = excluded.value, reason = excluded.reason,
       changed_by = excluded.changed_by, changed_at = now(), xid = pg_current_xact_id()
     returning (select value from before) as before`,
    [tenantId, flag, value, reason, changedBy],
  );
  return rows[0]?.before ?? null;
}

export interface OverriddenRow {
  flag: string;
  value: string;
  organisations: number;
}

/** How many organisations have which value of which flag. */
export function overrideCount(tx: Tx, limit: number): Promise<OverriddenRow[]> {
  return tx.query<OverriddenRow>(
    `select flag, value, count(*)::int as organisations from flags.override where value is not null
     group by flag, value order by flag, value limit $1`,
    [limit],
  );
}

export interface StaleOverrideRow {
  tenantId: string;
  flag: string;
  value: string;
}

/** Those that none of these pairs allows, the organisations' by id. */
export function overrideListStale(
  tx: Tx,
  allowed: readonly { flag: string; value: string }[],
  limit: number,
): Promise<StaleOverrideRow[]> {
  return tx.query<StaleOverrideRow>(
    `select o.tenant_id as "tenantId", o.flag, o.value from flags.override o
     where o.value is not null
       and not exists (select from unnest($1::text[], $2::text[]) as a (flag, value) where a.flag = o.flag and a.value = o.value)
     order by o.flag, o.tenant_id limit $3`,
    [allowed.map(({ flag }) => flag), allowed.map(({ value }) => value), limit],
  );
}

/** All that the organisation had. */
export async function overrideDeleteOfTenant(tx: Tx, tenantId: string): Promise<void> {
  await tx.execute(`delete from flags.override where tenant_id = $1`, [tenantId]);
}

export interface ChangedOverride {
  /** Of the transaction that wrote it. */
  xid: string;
  tenantId: string;
  flag: string;
  /** Null for what was taken back. */
  value: string | null;
}

/** Where a page ended. */
export type ChangePlace = Pick<ChangedOverride, "xid" | "tenantId" | "flag">;

export interface ChangePage {
  /** Everything of transactions before this one has been seen; what comes later is at or above it. */
  horizon: string;
  rows: ChangedOverride[];
}

/**
 * What was written behind a place, of all organisations. Positions by time would miss what commits late; the oldest transaction
 * still running misses nothing, and reads some rows again.
 * Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
export async function overrideChanges({ xid, tenantId, flag }: ChangePlace, limit: number): Promise<ChangePage> {
  const [page] = await systemQuery<ChangePage>(
    "flag-overrides-poll",
    `select pg_snapshot_xmin(pg_current_snapshot())::text as horizon, coalesce((
       select json_agg(o) from (
         select xid::text as xid, tenant_id as "tenantId", flag, value from flags.override
         where (xid, tenant_id, flag) > ($1::xid8, $2::uuid, $3::text)
         order by xid, tenant_id, flag limit $4) o), '[]') as rows`,
    [xid, tenantId, flag, limit],
  );
  if (page === undefined) throw new Error("a statement without FROM answered no row");
  return page;
}

declareExport("flags", {
  exported: [
    {
      name: "flags.override",
      order: { flag: "text" },
      columns: ["flag", "value", "reason", "changed_at"],
      omitted: {
        changed_by: "who of the platform's staff it was stands in the audit log",
        xid: "a number of the database's own",
      },
    },
  ],
  left: {},
});
