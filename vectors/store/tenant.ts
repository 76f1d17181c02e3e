// The SQL of removing all that an organisation has: statements in the order in which they must run, because a chunk holds
// its document and its embedding. Each removes at most `limit` rows.
import type { DeleteSome } from "../../db/tenant-purge";

const chunks: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from vectors.chunk where tenant_id = $1 and (document_id, ordinal) in (
       select document_id, ordinal from vectors.chunk where tenant_id = $1 order by document_id, ordinal limit $2)`,
    [tenantId, limit],
  );

const documents: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from vectors.document where tenant_id = $1 and id in (
       select id from vectors.document where tenant_id = $1 order by created_at, id limit $2)`,
    [tenantId, limit],
  );

const embeddings: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from vectors.embedding where tenant_id = $1 and content_hash in (
       select content_hash from vectors.embedding where tenant_id = $1 order by content_hash limit $2)`,
    [tenantId, limit],
  );

const candidates: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from vectors.orphan_candidate where tenant_id = $1 and content_hash in (
       select content_hash from vectors.orphan_candidate where tenant_id = $1 order by content_hash limit $2)`,
    [tenantId, limit],
  );

/** One row, so never as many as a batch that goes on. */
const usage: DeleteSome = (tx, tenantId) => tx.execute(`delete from vectors.usage where tenant_id = $1`, [tenantId]);

export const tenantDelete: readonly DeleteSome[] = [chunks, documents, embeddings, candidates, usage];
