// The SQL that asks how documents stand, of several at once.
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import type { DocumentStatus } from "./documents";

/** Which of the tenant's documents are pending, of at most 100. */
export async function documentListPending(scope: TenantScope, ids: readonly string[]): Promise<string[]> {
  const rows = await tenantQuery<{ id: string }>(
    scope,
    `select id from vectors.document where tenant_id = $1 and id = any($2::uuid[]) and status = 'pending' limit 100`,
    [scope.tenantId, ids],
  );
  return rows.map(({ id }) => id);
}

export interface SentDocument {
  source: string;
  textHash: Buffer;
  metadata: Record<string, unknown> | undefined;
}

/**
 * Those of what was sent that the tenant has as it was sent, with nothing left to do: split by this splitter, metadata the
 * same or not sent, ready under this model, or pending since `pendingAfter`. Locks nothing.
 */
export async function documentListUnchanged(
  scope: TenantScope,
  sent: readonly SentDocument[],
  { splitter, model, pendingAfter }: { splitter: number; model: string; pendingAfter: Date },
): Promise<{ source: string; id: string; status: DocumentStatus }[]> {
  return tenantQuery(
    scope,
    `select d.source, d.id, d.status
     from unnest($2::text[], $3::bytea[], $4::text[]) as s(source, text_hash, metadata)
     join vectors.document d on d.tenant_id = $1 and d.source = s.source
     where d.text_hash = s.text_hash and d.splitter = $5 and (s.metadata is null or d.metadata = s.metadata::jsonb)
       and case d.status
         when 'ready' then not exists (
           select from vectors.chunk c
           join vectors.embedding e on e.tenant_id = c.tenant_id and e.content_hash = c.content_hash
           where c.tenant_id = $1 and c.document_id = d.id and e.model is distinct from $6)
         when 'pending' then d.updated_at > $7
         else false end
     limit 100`,
    [
      scope.tenantId,
      sent.map(({ source }) => source),
      sent.map(({ textHash }) => textHash),
      sent.map(({ metadata }) => (metadata === undefined ? null : JSON.stringify(metadata))),
      splitter,
      model,
      pendingAfter,
    ],
  );
}

/** Those of all tenants that have been pending since before then, at most `limit`, the oldest first; passes over those that others hold. */
export async function documentListLostForUpdate(
  tx: Tx,
  before: Date,
  limit: number,
): Promise<{ id: string; tenantId: string; version: number }[]> {
  return tx.query(
    `select id, tenant_id as "tenantId", version from vectors.document
     where status = 'pending' and updated_at < $1 order by updated_at, id limit $2 for update skip locked`,
    [before, limit],
  );
}
