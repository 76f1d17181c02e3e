// Statements on audit.entry and audit.head: an organisation's log, and where its chain begins and ends.
import { beforeCursor, cursorMicros, cursorParams, pageOf, type Cursor, type CursorRow, type Page } from "../db/cursor";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../db/tenant";
import { declareExport } from "../db/tenant-export";
import { NO_HASH, type ChainedEntry } from "./chain";
import type { EndSeal } from "./seal";

interface HeadPosition extends EndSeal {
  seq: number;
  atMicros: string;
  /** Hash of the entry before. */
  before: Buffer;
}

const END_SEAL = `sealed_seq::float8 as "sealedSeq", end_seal as "endSeal"`;

/** Takes the tenant's next number and moment; nobody else of the tenant gets one until the transaction ends. Moments never go back. */
export async function headAdvance(tx: Tx, tenantId: string): Promise<HeadPosition> {
  const rows = await tx.query<HeadPosition>(
    `insert into audit.head (tenant_id, seq, at, hash, kept_after) values ($1, 1, clock_timestamp(), $2, $2)
     on conflict (tenant_id) do update set seq = head.seq + 1, at = greatest(head.at, clock_timestamp())
     returning seq, hash as before, ${cursorMicros("at")} as "atMicros", ${END_SEAL}`,
    [tenantId, NO_HASH],
  );
  const [head] = rows;
  if (head === undefined) throw new Error("the audit log has no head");
  return { ...head, seq: Number(head.seq) };
}

/** Stores the entry and makes it the chain's end, under a seal where there is one; only after headAdvance in the same transaction. */
export async function entryAdd(tx: Tx, e: ChainedEntry, endSeal: Buffer | null): Promise<void> {
  await tx.execute(
    `with added as (
       insert into audit.entry (tenant_id, seq, id, at, action, actor, target_type, target_id, correlation_id, fields, personal, personal_digest, hash)
       values ($1, $2, $3, 'epoch'::timestamptz + $4::bigint * interval '1 microsecond', $5, $6, $7, $8, $9, $10, $11, $12, $13))
     update audit.head set hash = $13, end_seal = coalesce($14::bytea, end_seal),
       sealed_seq = case when $14::bytea is null then sealed_seq else $2::bigint end where tenant_id = $1`,
    [
      e.tenantId,
      e.seq,
      e.id,
      e.atMicros,
      e.action,
      e.actor,
      e.targetType,
      e.targetId,
      e.correlationId,
      e.fields,
      e.personal !== null && Object.keys(e.personal).length > 0 ? e.personal : null,
      e.personalDigest,
      e.hash,
      endSeal,
    ],
  );
}

/** An entry to be shown. */
export type EntryRow = Omit<ChainedEntry, "tenantId" | "atMicros" | "personalDigest" | "hash"> & { at: Date };

/** Whole: to be shown and to be checked. */
export type ChainedRow = ChainedEntry & EntryRow;

const SHOWN = `seq::float8 as seq, id, at, action, actor, target_type as "targetType", target_id as "targetId", correlation_id as "correlationId", fields, personal`;

/** The tenant's entries, the newest first; of one action when it is given. None from before or behind the chain: nobody recorded those. */
export async function entryList(
  scope: TenantScope,
  action: string | undefined,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<EntryRow & CursorRow>> {
  const rows = await tenantQuery<EntryRow & CursorRow>(scope, listOf(action), [
    scope.tenantId,
    action ?? null,
    ...cursorParams(cursor),
    limit + 1,
  ]);
  return pageOf(rows, limit);
}

/** None from before or behind the chain: nobody recorded those. */
const WITHIN_CHAIN = `t.seq >= (select kept_from from audit.head where tenant_id = $1)
        and t.seq <= (select head.seq from audit.head where tenant_id = $1)`;

const listOf = (action: string | undefined): string =>
  `select ${SHOWN}, ${cursorMicros("at")} as "cursorMicros" from audit.entry t
      where tenant_id = $1 and ${WITHIN_CHAIN} and ${action === undefined ? "$2::text is null" : "action = $2"} and ${beforeCursor("at", "id", 3)}
      order by at desc, id desc limit $5`;

/** The same of all actions, in a transaction of the tenant. */
export async function entryPage(
  tx: Tx,
  tenantId: string,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<EntryRow & CursorRow>> {
  const params = [tenantId, null, ...cursorParams(cursor), limit + 1];
  return pageOf(await tx.query<EntryRow & CursorRow>(listOf(undefined), params), limit);
}

const WHOLE = `tenant_id as "tenantId", ${SHOWN}, ${cursorMicros("at")} as "atMicros", personal_digest as "personalDigest", hash`;

/** Entries in the order of their numbers, from `seq` on. */
export function entryChain(scope: TenantScope, seq: number, limit: number): Promise<ChainedRow[]> {
  return tenantQuery<ChainedRow>(
    scope,
    `select ${WHOLE} from audit.entry where tenant_id = $1 and seq >= $2 order by seq limit $3`,
    [scope.tenantId, seq, limit],
  );
}

export interface ChainEnds extends EndSeal {
  /** Number of the last entry; 0 without any. */
  seq: number;
  hash: Buffer;
  /** Where what is kept begins, and the hash before it. */
  keptFrom: number;
  keptAfter: Buffer;
  startSeal: Buffer | null;
}

export const ENDS = `seq::float8 as seq, hash, kept_from::float8 as "keptFrom", kept_after as "keptAfter", start_seal as "startSeal", ${END_SEAL}`;
/** Of who has no log. */
export const NO_ENDS: ChainEnds = {
  ...{ seq: 0, hash: NO_HASH, keptFrom: 1, keptAfter: NO_HASH },
  ...{ startSeal: null, sealedSeq: null, endSeal: null },
};

/** Where the tenant's chain begins and ends. */
export async function headFind(scope: TenantScope): Promise<ChainEnds> {
  const rows = await tenantQuery<ChainEnds>(scope, `select ${ENDS} from audit.head where tenant_id = $1`, [
    scope.tenantId,
  ]);
  return rows[0] ?? NO_ENDS;
}

/** Before it no entry is deleted, whoever asks: migrations 23 and 45. */
const KEPT_AT_LEAST = "interval '90 days'";

/** The hash before entry `t`; null where neither an entry nor the head knows it. */
const BEFORE = `coalesce(
                (select p.hash from audit.entry p where p.tenant_id = t.tenant_id and p.seq = t.seq - 1),
                (select h.kept_after from audit.head h where h.tenant_id = t.tenant_id and h.kept_from = t.seq)) as before`;

/** An entry, and the hash before it; null when nobody knows that. */
export type LinkedRow = ChainedRow & { before: Buffer | null };

/** The last entry of an action within the chain, and how old it is by the clock that entries go by. */
export async function entryLastOf(
  scope: TenantScope,
  action: string,
): Promise<(LinkedRow & { ageDays: number }) | undefined> {
  const rows = await tenantQuery<LinkedRow & { ageDays: number }>(
    scope,
    `select ${WHOLE}, ${BEFORE}, (extract(epoch from now() - at) / 86400)::float8 as "ageDays" from audit.entry t
      where tenant_id = $1 and ${WITHIN_CHAIN} and action = $2 order by at desc, id desc limit 1`,
    [scope.tenantId, action],
  );
  return rows[0];
}

/** Number of the last entry that is there, whatever the head says; 0 without any. */
export async function entryLast(scope: TenantScope): Promise<number> {
  const rows = await tenantQuery<{ seq: number }>(
    scope,
    `select seq::float8 as seq from audit.entry where tenant_id = $1 order by audit.entry.seq desc limit 1`,
    [scope.tenantId],
  );
  return rows[0]?.seq ?? 0;
}

/**
 * Number of the first entry from before `seq`, where retention has been; undefined without any. Those are none that it passes over
 * because somebody has them locked, and removes the next time: older than the 90 days before which none is removed.
 */
export async function entryBefore(scope: TenantScope, seq: number): Promise<number | undefined> {
  const rows = await tenantQuery<{ seq: number }>(
    scope,
    `select seq::float8 as seq from audit.entry
      where tenant_id = $1 and audit.entry.seq < $2 and (audit.entry.seq < 1 or at >= now() - ${KEPT_AT_LEAST})
      order by audit.entry.seq limit 1`,
    [scope.tenantId, seq],
  );
  return rows[0]?.seq;
}

/** Whether the tenant has a log: entries, or a head. */
export async function logExists(scope: TenantScope): Promise<boolean> {
  const [row] = await tenantQuery<{ exists: boolean }>(
    scope,
    `select exists (select from audit.head where tenant_id = $1) or exists (select from audit.entry where tenant_id = $1) as exists`,
    [scope.tenantId],
  );
  return row?.exists ?? false;
}

/** Whose logs there are behind `after`, by id; also of one whose head is gone. Of each tenant's entries one is looked at. */
export async function logList(tx: Tx, after: string, limit: number): Promise<string[]> {
  const rows = await tx.query<{ tenantId: string }>(
    `with recursive owner (tenant_id) as (
       (select tenant_id from audit.entry where tenant_id > $1 order by tenant_id limit 1)
       union all
       select (select e.tenant_id from audit.entry e where e.tenant_id > o.tenant_id order by e.tenant_id limit 1)
         from owner o where o.tenant_id is not null
     )
     select tenant_id as "tenantId" from (
       (select tenant_id from owner where tenant_id is not null limit $2)
       union
       (select tenant_id from audit.head where tenant_id > $1 order by tenant_id limit $2)
     ) log order by tenant_id limit $2`,
    [after, limit],
  );
  return rows.map(({ tenantId }) => tenantId);
}

/** Which of these organisations have no log, or one from number 1 on whose first entry is none of this action about themselves. */
export function logsBegunOtherwise(
  ids: readonly string[],
  firstAction: string,
): Promise<{ tenantId: string; hasLog: boolean }[]> {
  return systemQuery<{ tenantId: string; hasLog: boolean }>(
    "audit-verify",
    `select o.id as "tenantId", h.tenant_id is not null as "hasLog" from unnest($1::uuid[]) as o (id)
       left join audit.head h on h.tenant_id = o.id
       left join audit.entry e on e.tenant_id = o.id and e.seq = 1
      where h.tenant_id is null
         or (h.kept_from = 1 and (e.action is distinct from $2 or e.target_id is distinct from o.id::text))
      order by o.id`,
    [ids, firstAction],
  );
}

/** Erases what entries about `targetId` tell of a person. */
export function entryErase(tx: Tx, tenantId: string, targetId: string): Promise<number> {
  return tx.execute(
    "update audit.entry set personal = null where tenant_id = $1 and target_id = $2 and personal is not null",
    [tenantId, targetId],
  );
}

/** Erases in all organisations what entries that name one of these addresses tell, of at most `limit`. By index: see entry_address. */
export function entryEraseAddresses(tx: Tx, addresses: readonly string[], limit: number): Promise<number> {
  return tx.execute(
    `update audit.entry set personal = null where (tenant_id, seq) in (
       select tenant_id, seq from audit.entry where address = any($1::text[]) and personal is not null limit $2)`,
    [addresses, limit],
  );
}

/** The same of those about an account, and about invitations that it accepted, by whatever address it had then. By index: entry_target. */
export function entryEraseAccount(tx: Tx, accountId: string): Promise<number> {
  return tx.execute(
    `update audit.entry set personal = null where personal is not null and target_id = any(array(
       select $1::text union all
       select fields ->> 'invitation' from audit.entry where action = 'auth.member.joined' and target_id = $1))`,
    [accountId],
  );
}

/** Notes that the organisation is gone for good. */
export async function headEnd(tx: Tx, tenantId: string): Promise<void> {
  await tx.execute("update audit.head set gone_at = now() where tenant_id = $1 and gone_at is null", [tenantId]);
}

/** Deletes heads of organisations that are gone, and of which no entry is kept, at most `limit`. */
export function headPurge(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from audit.head where gone_at is not null and kept_from > seq and tenant_id in (
       select tenant_id from audit.head where gone_at is not null and kept_from > seq order by gone_at limit $1
       for update skip locked)`,
    [limit],
  );
}

/** The last entry that was deleted of a log which begins behind it now, and the hash before it; null when nobody knows that. */
export type MovedStart = ChainedEntry & { before: Buffer | null };

/**
 * Deletes entries of more than `keepDays` days, by the clock that they go by, at most `limit` of all tenants; what is kept of their chains
 * begins after them. Not where a young one was put in among them: the table refuses that for all (migration 45), and that log stays broken.
 */
export async function entryPurge(
  tx: Tx,
  keepDays: number,
  limit: number,
): Promise<{ removed: number; moved: MovedStart[] }> {
  const rows = await tx.query<{ removed: number } & (MovedStart | Record<keyof MovedStart, null>)>(
    `with old as (
       select tenant_id, seq from audit.entry where at < now() - make_interval(days => $1) order by at, seq limit $2 for update skip locked
     ), gone as (
       delete from audit.entry e using old where e.tenant_id = old.tenant_id and e.seq = old.seq returning e.*
     ), last as (
       select distinct on (tenant_id) * from gone order by tenant_id, seq desc
     ), kept as (
       update audit.head h set kept_from = last.seq + 1, kept_after = last.hash
         from last where h.tenant_id = last.tenant_id and h.kept_from <= last.seq
          and not exists (select from audit.entry e where e.tenant_id = h.tenant_id and e.seq between h.kept_from and last.seq
                            and e.at >= now() - ${KEPT_AT_LEAST})
       returning h.tenant_id
     ), moved as (
       select ${WHOLE}, ${BEFORE}
         from last t where t.tenant_id in (select tenant_id from kept)
     )
     select counted.removed, moved.* from (select count(*)::int as removed from gone) counted left join moved on true`,
    [keepDays, limit],
  );
  const isMoved = (row: (typeof rows)[number]): row is { removed: number } & MovedStart => row.tenantId !== null;
  return { removed: rows[0]?.removed ?? 0, moved: rows.filter(isMoved) };
}

/** Seals over where logs begin now; in the transaction that let them. */
export async function headSealStarts(tx: Tx, seals: readonly { tenantId: string; seal: Buffer }[]): Promise<void> {
  await tx.execute(
    `update audit.head h set start_seal = s.seal from unnest($1::uuid[], $2::bytea[]) as s (tenant_id, seal)
      where h.tenant_id = s.tenant_id`,
    [seals.map(({ tenantId }) => tenantId), seals.map(({ seal }) => seal)],
  );
}

declareExport("audit", {
  exported: [
    {
      name: "audit.entry",
      isFromTheStart: true,
      order: { seq: "bigint" },
      within: WITHIN_CHAIN,
      columns: [
        ...["seq", "id", "at", "action", "actor", "target_type", "target_id", "correlation_id", "fields", "personal"],
        "hash",
      ],
      personal: ["personal"],
      omitted: {
        personal_digest: "keyed: by it the chain holds when what is personal is erased",
        address: "the e-mail of what is personal once more, to find it by",
      },
      large: ["fields", "personal"],
    },
  ],
  left: { "audit.head": "where the chain begins and ends: GET /auth/audit/export says it" },
});
