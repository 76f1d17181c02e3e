// The SQL of watching the graph of vectors: what it finds beside what comparing all finds, and how old pgvector is.
import type { Tx } from "../../db/tenant";

/** Tenants with more than `above` chunks, the largest first. */
export async function usageListLarge(tx: Tx, above: number, limit: number): Promise<string[]> {
  const rows = await tx.query<{ tenantId: string }>(
    `select tenant_id as "tenantId" from vectors.usage where chunk_count > $1 order by chunk_count desc, tenant_id limit $2`,
    [above, limit],
  );
  return rows.map(({ tenantId }) => tenantId);
}

export interface StoredVector {
  vector: string;
  model: string;
}

/** Some of a tenant's vectors, those whose hashes come next after `from`. */
export async function embeddingSample(tx: Tx, tenantId: string, from: Buffer, limit: number): Promise<StoredVector[]> {
  return tx.query<StoredVector>(
    `select embedding::text as vector, model from vectors.embedding
     where tenant_id = $1 and content_hash >= $2 and embedding is not null order by content_hash limit $3`,
    [tenantId, from, limit],
  );
}

/** How many of the ten nearest of a vector the graph finds, and how many there are; none when the search would not ask the graph. */
export async function embeddingRecall(
  tx: Tx,
  tenantId: string,
  { vector, model }: StoredVector,
  { exactUpTo, candidates }: { exactUpTo: number; candidates: number },
): Promise<{ found: number; wanted: number }> {
  const rows = await tx.query<{ found: number; wanted: number }>(
    // What comparing all adds where the graph finds too few is not the graph's.
    `with by_graph as materialized (
       select n.content_hash, n.distance from vectors.nearest($1, $2, $3::vector, $4, $5, null) n where n.by_graph
     ), found as (
       select content_hash from by_graph order by distance, content_hash limit 10
     ), wanted as (
       select content_hash from vectors.embedding
       where tenant_id = $1 and model = $2 and exists (select from by_graph)
       order by (embedding <=> $3::vector) + 0, content_hash limit 10
     )
     select count(*)::int as wanted, count(f.content_hash)::int as found from wanted left join found f using (content_hash)`,
    [tenantId, model, vector, exactUpTo, candidates],
  );
  return rows[0] ?? { found: 0, wanted: 0 };
}

/** The version of pgvector that this database uses. */
export async function extensionVersion(tx: Tx): Promise<string> {
  const rows = await tx.query<{ version: string }>(
    `select extversion as version from pg_extension where extname = 'vector'`,
  );
  return rows[0]?.version ?? "";
}
