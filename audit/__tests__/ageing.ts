// Entries that are older than they are, each as the app would have written it then: for retention, which seals no start of a log
// behind an entry that somebody made older.
import { systemQuery, type TenantScope } from "../../db/tenant";
import { linkOf } from "../chain";
import { auditKey, sealKeys } from "../key";
import { sealOf } from "../seal";
import { entryChain, headFind } from "../store";
import { pastTriggers } from "./past-triggers";

const MICROS_A_DAY = 86_400_000_000n;

/** The entries up to number `through`; the end stands under a seal afterwards. */
export async function age({ tenantId }: TenantScope, days: number, through = Infinity): Promise<void> {
  const { seq: last, keptFrom, keptAfter } = await headFind({ tenantId });
  const entries = await entryChain({ tenantId }, keptFrom, 1_000);
  let before = keptAfter;
  const hashes = entries.map((entry) => {
    const atMicros = String(BigInt(entry.atMicros) - (entry.seq <= through ? BigInt(days) * MICROS_A_DAY : 0n));
    return (before = linkOf(auditKey(), before, { ...entry, atMicros }));
  });
  await pastTriggers([AGE], [tenantId, entries.map(({ seq }) => seq), hashes, days, Math.min(through, last)]);
  const end = { of: "end", tenantId, seq: last, hash: before } as const;
  await systemQuery("test", "update audit.head set hash = $2, end_seal = $3, sealed_seq = seq where tenant_id = $1", [
    ...[tenantId, before, sealOf(sealKeys(), end)],
  ]);
}

const AGE = `update audit.entry e set hash = h.hash, at = case when e.seq <= $5 then at - make_interval(days => $4) else at end
  from unnest($2::bigint[], $3::bytea[]) as h (seq, hash) where e.tenant_id = $1 and e.seq = h.seq`;
