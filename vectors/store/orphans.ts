// The SQL of removing embeddings that no chunk needs: a candidate is taken, its embedding locked, and only then asked
// whether a chunk needs it. A chunk that is being inserted holds a key-share lock on its embedding (the foreign key), so
// the answer cannot change between the question and the removal.
import type { Tx } from "../../db/tenant";

/** Takes candidates released before then, oldest first, passing over those another run holds, and removes what no chunk needs. */
export async function orphanSettle(tx: Tx, before: Date, limit: number): Promise<number> {
  const taken = await candidateTake(tx, before, limit);
  if (taken.tenantIds.length === 0) return 0;
  const locked = await embeddingLock(tx, taken);
  await embeddingDeleteUnneeded(tx, locked);
  await candidateDelete(tx, taken, locked);
  await candidatePostpone(tx, taken);
  return taken.tenantIds.length;
}

/** Contents, as two columns. */
interface Contents {
  tenantIds: string[];
  hashes: Buffer[];
}

interface ContentRow {
  tenantId: string;
  hash: Buffer;
}

const columnsOf = (rows: readonly ContentRow[]): Contents => ({
  tenantIds: rows.map(({ tenantId }) => tenantId),
  hashes: rows.map(({ hash }) => hash),
});

async function candidateTake(tx: Tx, before: Date, limit: number): Promise<Contents> {
  const rows = await tx.query<ContentRow>(
    `select tenant_id as "tenantId", content_hash as hash from vectors.orphan_candidate
     where released_at < $1 order by released_at limit $2 for update skip locked`,
    [before, limit],
  );
  return columnsOf(rows);
}

/** Those of the contents that nobody is inserting a chunk of; held against it until the transaction ends. */
async function embeddingLock(tx: Tx, { tenantIds, hashes }: Contents): Promise<Contents> {
  const rows = await tx.query<ContentRow>(
    `select e.tenant_id as "tenantId", e.content_hash as hash
     from unnest($1::uuid[], $2::bytea[]) as t(tenant_id, content_hash)
     join vectors.embedding e on e.tenant_id = t.tenant_id and e.content_hash = t.content_hash
     for update of e skip locked`,
    [tenantIds, hashes],
  );
  return columnsOf(rows);
}

async function embeddingDeleteUnneeded(tx: Tx, { tenantIds, hashes }: Contents): Promise<void> {
  await tx.execute(
    `delete from vectors.embedding e
     using unnest($1::uuid[], $2::bytea[]) as t(tenant_id, content_hash)
     where e.tenant_id = t.tenant_id and e.content_hash = t.content_hash
       and not exists (select from vectors.chunk c where c.tenant_id = t.tenant_id and c.content_hash = t.content_hash)`,
    [tenantIds, hashes],
  );
}

/** Those decided on, and any whose embedding is gone. */
async function candidateDelete(tx: Tx, taken: Contents, decided: Contents): Promise<void> {
  await tx.execute(
    `delete from vectors.orphan_candidate o
     using unnest($1::uuid[], $2::bytea[]) as t(tenant_id, content_hash)
     where o.tenant_id = t.tenant_id and o.content_hash = t.content_hash
       and ((t.tenant_id, t.content_hash) in (select * from unnest($3::uuid[], $4::bytea[]))
         or not exists (select from vectors.embedding e where e.tenant_id = t.tenant_id and e.content_hash = t.content_hash))`,
    [taken.tenantIds, taken.hashes, decided.tenantIds, decided.hashes],
  );
}

/** Those still there are of contents in use at this moment: they are looked at again when they are old once more. */
async function candidatePostpone(tx: Tx, { tenantIds, hashes }: Contents): Promise<void> {
  await tx.execute(
    `update vectors.orphan_candidate o set released_at = now()
     from unnest($1::uuid[], $2::bytea[]) as t(tenant_id, content_hash)
     where o.tenant_id = t.tenant_id and o.content_hash = t.content_hash`,
    [tenantIds, hashes],
  );
}
