// The SQL of what an organisation holds: counters that the consumer of vectors.document.ready@1 keeps.
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";

export interface Usage {
  documents: number;
  chunks: number;
  /** Of the documents' texts, in UTF-8. */
  bytes: number;
}

/** What the tenant holds of documents that were ready once. */
export async function usageFind(scope: TenantScope): Promise<Usage> {
  const rows = await tenantQuery<Usage>(
    scope,
    `select document_count as documents, chunk_count as chunks, byte_count as bytes from vectors.usage where tenant_id = $1`,
    [scope.tenantId],
  );
  return rows[0] ?? { documents: 0, chunks: 0, bytes: 0 };
}

/** Brings the tenant's counters up to date with one document; doing it twice counts once. */
export async function usageCountDocument(tx: Tx, tenantId: string, documentId: string): Promise<void> {
  await tx.execute(
    `with counted as (
       select d.id, coalesce(d.counted_chunks, 0) as chunks_before, coalesce(d.counted_bytes, 0) as bytes_before,
              d.counted_chunks is null as is_new, d.chunk_count as chunks, d.text_bytes as bytes
       from vectors.document d where d.tenant_id = $1 and d.id = $2
       for update
     ), noted as (
       update vectors.document d set counted_chunks = c.chunks, counted_bytes = c.bytes
       from counted c where d.tenant_id = $1 and d.id = c.id
     )
     insert into vectors.usage (tenant_id, document_count, chunk_count, byte_count)
     select $1, c.is_new::int, c.chunks - c.chunks_before, c.bytes - c.bytes_before from counted c
     on conflict (tenant_id) do update
     set document_count = usage.document_count + excluded.document_count, chunk_count = usage.chunk_count + excluded.chunk_count,
         byte_count = usage.byte_count + excluded.byte_count, updated_at = now()`,
    [tenantId, documentId],
  );
}
