// Statements on idempotency.request.
import type { SealedRows } from "../db/master-keys";
import { systemQuery, type Tx } from "../db/tenant";
import { declareExport } from "../db/tenant-export";
import type { TenantId } from "../security/principal";

/** Names a key of a caller: the same key of another tenant or principal is another row. */
export interface KeyName {
  tenantId: TenantId | null;
  principal: string;
  keyHash: Buffer;
}

export interface SealedAnswer {
  sealed: Buffer;
  /** Of the master key. */
  keyId: Buffer;
}

export interface RequestRow {
  fingerprint: Buffer;
  /** Somebody serves it now, or died less than a lease ago. */
  isLeased: boolean;
  hasEffect: boolean;
  isAnswered: boolean;
  answer: Buffer | null;
}

/** Said so that the unique index finds the row: it does not for "is not distinct from", which reads the whole table. */
const named = ({ tenantId }: KeyName): string =>
  `${tenantId === null ? "tenant_id is null and $1::uuid is null" : "tenant_id = $1::uuid"} and principal = $2 and key_hash = $3`;
const nameOf = ({ tenantId, principal, keyHash }: KeyName): unknown[] => [tenantId, principal, keyHash];

/**
 * Takes the key for `leaseId`: one that is new or expired, and one of the same request whose holder has died before it
 * changed anything. False when it is not to be had; then, mostly, without a lock that its holder would wait for.
 */
export async function requestClaim(
  tx: Tx,
  name: KeyName,
  claim: { leaseId: string; fingerprint: Buffer; leaseMs: number; keepSeconds: number },
): Promise<boolean> {
  const rows = await tx.execute(
    `insert into idempotency.request as known
            (tenant_id, principal, key_hash, fingerprint, lease_id, leased_until, expires_at)
     select $1, $2, $3, $4, $5, now() + $6 * interval '1 millisecond', now() + $7 * interval '1 second'
      where not exists (
        select from idempotency.request where ${named(name)} and (leased_until > now() or answered_at is not null and expires_at > now()))
     on conflict (tenant_id, principal, key_hash) do update
        set fingerprint = excluded.fingerprint, lease_id = excluded.lease_id, leased_until = excluded.leased_until,
            expires_at = excluded.expires_at, effect_at = null, answered_at = null, answer = null, key_id = null
      where known.leased_until <= now()
        and (known.expires_at <= now()
             or known.effect_at is null and known.answered_at is null and known.fingerprint = excluded.fingerprint)`,
    [...nameOf(name), claim.fingerprint, claim.leaseId, claim.leaseMs, claim.keepSeconds],
  );
  return rows > 0;
}

/** Undefined when it is gone, or expired. */
export async function requestFind(tx: Tx, name: KeyName): Promise<RequestRow | undefined> {
  const [row] = await tx.query<RequestRow>(
    `select fingerprint, leased_until > now() as "isLeased", effect_at is not null as "hasEffect",
            answered_at is not null as "isAnswered", answer
       from idempotency.request where ${named(name)} and (expires_at > now() or leased_until > now())`,
    nameOf(name),
  );
  return row;
}

/**
 * Notes that the transaction it runs in has changed something, when it has; `isLost` when it has and the lease is another's.
 * A transaction gets a number when it first writes or locks a row.
 */
export async function requestMarkEffect(tx: Tx, name: KeyName, leaseId: string): Promise<{ isLost: boolean }> {
  const [row] = await tx.query<{ isLost: boolean }>(
    `with self as (select pg_current_xact_id_if_assigned() is not null as has_written),
          marked as (
            update idempotency.request set effect_at = coalesce(effect_at, now())
             where ${named(name)} and lease_id = $4 and (select has_written from self) returning 1)
     select self.has_written and not exists (select from marked) as "isLost" from self`,
    [...nameOf(name), leaseId],
  );
  return { isLost: row?.isLost ?? true };
}

/** Whether this transaction, or one before it, has changed something for the request. */
export async function requestHasEffect(tx: Tx, name: KeyName, leaseId: string): Promise<boolean> {
  const [row] = await tx.query<{ hasEffect: boolean }>(
    `select pg_current_xact_id_if_assigned() is not null or exists (
       select from idempotency.request where ${named(name)} and lease_id = $4 and (effect_at is not null or answered_at is not null)) as "hasEffect"`,
    [...nameOf(name), leaseId],
  );
  return row?.hasEffect ?? false;
}

/** False when the lease is another's. `answer` is null when it is too large to keep. */
export async function requestAnswer(
  tx: Tx,
  name: KeyName,
  leaseId: string,
  answer: SealedAnswer | null,
): Promise<boolean> {
  const rows = await tx.execute(
    `update idempotency.request set answered_at = now(), answer = $5, key_id = $6, leased_until = now()
      where ${named(name)} and lease_id = $4 and answered_at is null`,
    [...nameOf(name), leaseId, answer?.sealed ?? null, answer?.keyId ?? null],
  );
  return rows > 0;
}

/** Frees a key under which nothing happened. */
export async function requestRelease(tx: Tx, name: KeyName, leaseId: string): Promise<void> {
  await tx.execute(
    `delete from idempotency.request where ${named(name)} and lease_id = $4 and effect_at is null and answered_at is null`,
    [...nameOf(name), leaseId],
  );
}

/** Holds on to what this process serves. */
export const REQUEST_RENEW = `
  update idempotency.request set leased_until = now() + $2 * interval '1 millisecond'
   where lease_id = any($1::uuid[]) and answered_at is null`;

/** Deletes rows that expired and that nobody serves, the oldest first, at most `limit`. */
export function requestPurge(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from idempotency.request where ctid = any(array(
       select ctid from idempotency.request where expires_at <= now() and leased_until <= now()
        order by expires_at limit $1 for update skip locked))`,
    [limit],
  );
}

/** Answers that are still given again, by the master key that sealed them. Reads all rows and no answer. */
export function requestSealedCount(): Promise<SealedRows[]> {
  return systemQuery<SealedRows>(
    "count-sealed-rows",
    `select 'answers to Idempotency-Keys' as what, encode(key_id, 'hex') as "keyId", count(*) as rows
       from idempotency.request where key_id is not null and expires_at > now() group by 2 order by 2 limit 100`,
    [],
    { statementTimeoutMs: 60_000 },
  );
}

declareExport("idempotency", {
  exported: [],
  left: { "idempotency.request": "answers that were given, sealed under keys that the callers chose, kept for hours" },
});
