// Statements on the seals in audit.head: which heads have none, what is put in them, whose key made them.
import type { SealedRows } from "../../db/master-keys";
import { systemQuery, type Tx } from "../../db/tenant";
import { ENDS, type ChainEnds } from "../store";

export interface LogEnds extends ChainEnds {
  tenantId: string;
}

/**
 * Where the logs behind `after` begin and end, by id. All of them, and whether seals cover them is seen from that: an index on those
 * without a seal would have to be written with each entry of every log, because what it goes by changes with each.
 */
export function headList(tx: Tx, after: string, limit: number): Promise<LogEnds[]> {
  return tx.query<LogEnds>(
    `select tenant_id as "tenantId", ${ENDS} from audit.head where tenant_id > $1 order by tenant_id limit $2`,
    [after, limit],
  );
}

/** Where the chain begins and ends, which stays so until the transaction ends; and whether the organisation is gone. */
export async function headHold(tx: Tx, tenantId: string): Promise<(ChainEnds & { isGone: boolean }) | undefined> {
  const rows = await tx.query<ChainEnds & { isGone: boolean }>(
    `select ${ENDS}, gone_at is not null as "isGone" from audit.head where tenant_id = $1 for update`,
    [tenantId],
  );
  return rows[0];
}

/** Stores the seals that are given; the end's over the last entry. */
export async function headSeal(
  tx: Tx,
  tenantId: string,
  { start, end }: { start: Buffer | null; end: Buffer | null },
): Promise<void> {
  await tx.execute(
    `update audit.head set start_seal = coalesce($2::bytea, start_seal), end_seal = coalesce($3::bytea, end_seal),
       sealed_seq = case when $3::bytea is null then sealed_seq else seq end where tenant_id = $1`,
    [tenantId, start, end],
  );
}

export interface SealedHeadRow extends LogEnds {
  /** Of the entry that the end's seal is over; null when it is not there. */
  sealedHash: Buffer | null;
}

/** Heads with a seal of another key, behind `after`, which stay as they are until the transaction ends. One that is written to has one of now. */
export function headListSealedByOthers(
  tx: Tx,
  { keyId, after, limit }: { keyId: Buffer; after: string; limit: number },
): Promise<SealedHeadRow[]> {
  return tx.query<SealedHeadRow>(
    `select tenant_id as "tenantId", ${ENDS}, case when sealed_seq = seq then hash when sealed_seq = kept_from - 1 then kept_after
              else (select e.hash from audit.entry e where e.tenant_id = head.tenant_id and e.seq = head.sealed_seq) end as "sealedHash"
       from audit.head
      where tenant_id > $1 and (substring(start_seal for 4) <> $2 or substring(end_seal for 4) <> $2)
      order by tenant_id limit $3 for update of head skip locked`,
    [after, keyId, limit],
  );
}

/** Other seals over the same places. */
export async function headReseal(
  tx: Tx,
  seals: readonly { tenantId: string; start: Buffer | null; end: Buffer | null }[],
): Promise<void> {
  await tx.execute(
    `update audit.head h set start_seal = coalesce(s.start_seal, h.start_seal), end_seal = coalesce(s.end_seal, h.end_seal)
       from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as s (tenant_id, start_seal, end_seal) where h.tenant_id = s.tenant_id`,
    [seals.map(({ tenantId }) => tenantId), seals.map(({ start }) => start), seals.map(({ end }) => end)],
  );
}

/** Whose seals each master key has made. Reads all heads: nobody waits for it. */
export function auditSealedCount(): Promise<SealedRows[]> {
  return systemQuery<SealedRows>(
    "count-sealed-rows",
    `select 'seals of audit logs' as what, encode(key_id, 'hex') as "keyId", count(*) as rows from (
       select substring(start_seal for 4) as key_id from audit.head where start_seal is not null
       union all select substring(end_seal for 4) from audit.head where end_seal is not null) sealed
      group by key_id order by key_id limit 100`,
    [],
    { statementTimeoutMs: 60_000 },
  );
}
