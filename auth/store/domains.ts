// Statements on auth.domain.
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";

export interface DomainRow {
  id: string;
  name: string;
  token: string;
  createdAt: Date;
  verifiedAt: Date | null;
  checkedAt: Date | null;
  missingSince: Date | null;
}

const COLUMNS = `id, name, token, created_at as "createdAt", verified_at as "verifiedAt", checked_at as "checkedAt",
  missing_since as "missingSince"`;

/** Undefined when the organisation has named it already. */
export async function domainInsert(
  tx: Tx,
  domain: { id: string; tenantId: string; name: string; token: string },
): Promise<DomainRow | undefined> {
  const rows = await tx.query<DomainRow>(
    `insert into auth.domain (id, tenant_id, name, token) values ($1, $2, $3, $4)
     on conflict (tenant_id, name) do nothing returning ${COLUMNS}`,
    [domain.id, domain.tenantId, domain.name, domain.token],
  );
  return rows[0];
}

/** Whether the organisation has this one verified, or, without a name, any. */
export async function domainIsVerified(tx: Tx, tenantId: string, name?: string): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from auth.domain where tenant_id = $1 and verified_at is not null and name = coalesce($2, name) limit 1`,
    [tenantId, name ?? null],
  );
  return rows.length > 0;
}

/** How many the organisation has named. True only under membershipLock. */
export async function domainCount(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from auth.domain where tenant_id = $1`, [
    tenantId,
  ]);
  return rows[0]?.n ?? 0;
}

/** By name. */
export function domainList(scope: TenantScope, limit: number): Promise<DomainRow[]> {
  return tenantQuery<DomainRow>(
    scope,
    `select ${COLUMNS} from auth.domain where tenant_id = $1 order by name limit $2`,
    [scope.tenantId, limit],
  );
}

export async function domainFind(scope: TenantScope, id: string): Promise<DomainRow | undefined> {
  const rows = await tenantQuery<DomainRow>(
    scope,
    `select ${COLUMNS} from auth.domain where tenant_id = $1 and id = $2`,
    [scope.tenantId, id],
  );
  return rows[0];
}

/**
 * Undefined when the organisation has no such one, else whether it was verified before.
 * @throws DbError with the constraint domain_verified when another organisation has it verified.
 */
export async function domainSetVerified(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<{ wasVerified: boolean } | undefined> {
  const rows = await tx.query<{ wasVerified: boolean }>(
    `with before as (select id, verified_at from auth.domain where tenant_id = $1 and id = $2 for update)
     update auth.domain d set verified_at = coalesce(d.verified_at, now()), checked_at = now(), missing_since = null,
            unanswered_since = null, warned_at = null, next_check_at = now() + interval '1 day'
     from before where d.tenant_id = $1 and d.id = before.id returning before.verified_at is not null as "wasVerified"`,
    [tenantId, id],
  );
  return rows[0];
}

/** The organisation that has it verified; under its membershipLock true until the transaction ends. */
export async function domainFindHolder(
  tx: Tx,
  name: string,
): Promise<{ id: string; tenantId: string; name: string; token: string } | undefined> {
  const rows = await tx.query<{ id: string; tenantId: string; name: string; token: string }>(
    `select id, tenant_id as "tenantId", name, token from auth.domain where name = $1 and verified_at is not null`,
    [name],
  );
  return rows[0];
}

/** False when it was not verified. */
export async function domainLose(tx: Tx, { tenantId, id }: { tenantId: string; id: string }): Promise<boolean> {
  const changed = await tx.execute(
    `update auth.domain set verified_at = null, missing_since = null
     where tenant_id = $1 and id = $2 and verified_at is not null`,
    [tenantId, id],
  );
  return changed === 1;
}

export async function domainDelete(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<{ name: string; wasVerified: boolean } | undefined> {
  const rows = await tx.query<{ name: string; wasVerified: boolean }>(
    `delete from auth.domain where tenant_id = $1 and id = $2
     returning name, verified_at is not null as "wasVerified"`,
    [tenantId, id],
  );
  return rows[0];
}

export interface DueDomainRow {
  id: string;
  tenantId: string;
  name: string;
  token: string;
}

/** Verified ones that are to be looked at, the longest due first; nobody else gets them for an hour. */
export function domainClaimDue(tx: Tx, limit: number): Promise<DueDomainRow[]> {
  return tx.query<DueDomainRow>(
    `update auth.domain d set next_check_at = now() + interval '1 hour'
     where d.id in (select id from auth.domain where verified_at is not null and next_check_at <= now()
                    order by next_check_at limit $1 for update skip locked)
     returning d.id, d.tenant_id as "tenantId", d.name, d.token`,
    [limit],
  );
}

export async function domainNoteShown(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.execute(
    `update auth.domain set checked_at = now(), missing_since = null, unanswered_since = null, warned_at = null,
            next_check_at = now() + interval '1 day'
     where id = any($1::uuid[])`,
    [ids],
  );
}

export interface FailingRow {
  /** Whether it has been so for as many days as a domain may be. */
  isLost: boolean;
  /** Whether its owners are to be warned now, and were not before. */
  isNews: boolean;
}

/** That an answer did not have the record. Undefined for one that is verified no longer. */
export async function domainNoteMissing(
  tx: Tx,
  { tenantId, id, days }: { tenantId: string; id: string; days: number },
): Promise<FailingRow | undefined> {
  const rows = await tx.query<FailingRow>(
    `update auth.domain set checked_at = now(), missing_since = coalesce(missing_since, now()), unanswered_since = null,
            warned_at = case when missing_since is null then now() else warned_at end
     where tenant_id = $1 and id = $2 and verified_at is not null
     returning missing_since <= now() - make_interval(days => $3) as "isLost", missing_since = now() as "isNews"`,
    [tenantId, id, days],
  );
  return rows[0];
}

/** Owners have so long to act on the warning, however seldom there was a look. */
const WARNED_DAYS = 7;

/** That its own name servers gave no answer. Undefined for one that is verified no longer. */
export async function domainNoteUnanswered(
  tx: Tx,
  { tenantId, id, days, warnHours }: { tenantId: string; id: string; days: number; warnHours: number },
): Promise<FailingRow | undefined> {
  const rows = await tx.query<FailingRow>(
    `update auth.domain set unanswered_since = coalesce(unanswered_since, now()),
            warned_at = case when unanswered_since is null then null
                             when unanswered_since <= now() - make_interval(hours => $4) then coalesce(warned_at, now())
                             else warned_at end
     where tenant_id = $1 and id = $2 and verified_at is not null
     returning coalesce(unanswered_since <= now() - make_interval(days => $3)
                        and warned_at <= now() - make_interval(days => ${WARNED_DAYS}), false) as "isLost",
               coalesce(warned_at = now(), false) as "isNews"`,
    [tenantId, id, days, warnHours],
  );
  return rows[0];
}
