// The SQL of splitting again what an older splitter split.
import type { Tx } from "../../db/tenant";

/** Those of all tenants, at most `limit`, whose chunks an older splitter made; those of the oldest first. */
export async function documentListSplitBefore(
  tx: Tx,
  splitter: number,
  limit: number,
): Promise<{ id: string; tenantId: string; version: number }[]> {
  return tx.query(
    `select id, tenant_id as "tenantId", version from vectors.document where splitter < $1 order by splitter, id limit $2`,
    [splitter, limit],
  );
}

export interface StoredText {
  id: string;
  source: string;
  title: string;
  text: string;
  textHash: Buffer;
  version: number;
}

/** A tenant's document that an older splitter split, locked until the transaction ends. */
export async function documentFindForSplitting(
  tx: Tx,
  tenantId: string,
  id: string,
  splitter: number,
): Promise<StoredText | undefined> {
  const rows = await tx.query<StoredText>(
    `select id, source, title, text, text_hash as "textHash", version from vectors.document
     where tenant_id = $1 and id = $2 and splitter < $3 for update`,
    [tenantId, id, splitter],
  );
  return rows[0];
}

/** Takes this version of a document for split by `splitter`, whatever made its chunks. */
export async function documentMarkSplit(
  tx: Tx,
  { tenantId, id, version, splitter }: { tenantId: string; id: string; version: number; splitter: number },
): Promise<void> {
  await tx.execute(
    `update vectors.document set splitter = $4 where tenant_id = $1 and id = $2 and version = $3 and splitter < $4`,
    [tenantId, id, version, splitter],
  );
}

/** Whether these are the contents of the document's chunks, in their order. */
export async function chunkHashesAre(
  tx: Tx,
  tenantId: string,
  documentId: string,
  hashes: readonly Buffer[],
): Promise<boolean> {
  const rows = await tx.query<{ same: boolean }>(
    `select coalesce(array_agg(content_hash order by ordinal), '{}') = $3::bytea[] as same
     from vectors.chunk where tenant_id = $1 and document_id = $2`,
    [tenantId, documentId, hashes],
  );
  return rows[0]?.same === true;
}
