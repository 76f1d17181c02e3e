// The SQL of documents, chunks and embeddings: one statement a function. Every statement names its tenant beside row
// security; hashes go in sorted, so that two ingestions of overlapping texts lock rows in one order.
import {
  beforeCursor,
  cursorMicros,
  cursorParams,
  pageOf,
  type Cursor,
  type CursorRow,
  type Page,
} from "../../db/cursor";
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { toVector } from "../../db/vector";
import type { Chunk } from "../chunker";

export type DocumentStatus = "pending" | "ready" | "failed";

export interface DocumentRow {
  id: string;
  source: string;
  status: DocumentStatus;
  version: number;
  chunkCount: number;
  textHash: Buffer;
  /** Of the splitter that made its chunks. */
  splitter: number;
  updatedAt: Date;
}

/** What people see of a document in a list. */
export interface ListedDocument extends Omit<DocumentRow, "textHash" | "splitter"> {
  title: string;
  /** Of the text, in UTF-8. */
  bytes: number;
  /** Why it failed, in one lower_snake word. */
  reason: string | null;
  createdAt: Date;
}

export interface ShownDocument extends ListedDocument {
  metadata: Record<string, string | number | boolean>;
  /** Null unless asked for. */
  text: string | null;
}

const DOCUMENT_COLUMNS = `id, source, status, version, chunk_count as "chunkCount", text_hash as "textHash", splitter, updated_at as "updatedAt"`;
const LISTED_COLUMNS = `id, source, title, version, status, reason, chunk_count as "chunkCount", text_bytes as bytes, created_at as "createdAt", updated_at as "updatedAt"`;

/** A document of the tenant, with its text if that is wanted. */
export async function documentFind(
  scope: TenantScope,
  id: string,
  withText = false,
): Promise<ShownDocument | undefined> {
  const rows = await tenantQuery<ShownDocument>(
    scope,
    `select ${LISTED_COLUMNS}, metadata, case when $3::boolean then text end as text
     from vectors.document where tenant_id = $1 and id = $2`,
    [scope.tenantId, id, withText],
  );
  return rows[0];
}

export interface DocumentFilter {
  source?: string | undefined;
  sourcePrefix?: string | undefined;
  status?: DocumentStatus | undefined;
  /** Those whose metadata holds all of these values. */
  metadata?: Record<string, unknown> | undefined;
}

/** Those of the tenant's documents that fit the filter, newest first, from the cursor on. */
export async function documentList(
  scope: TenantScope,
  { source, sourcePrefix, status, metadata }: DocumentFilter,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<ListedDocument & CursorRow>> {
  const rows = await tenantQuery<ListedDocument & CursorRow>(
    scope,
    `select ${LISTED_COLUMNS}, ${cursorMicros("created_at")} as "cursorMicros"
     from vectors.document
     where tenant_id = $1 and ($2::text is null or source = $2) and ($3::text is null or status = $3)
       and ${beforeCursor("created_at", "id", 4)}
       and ($7::text is null or starts_with(source, $7)) and ($8::jsonb is null or metadata @> $8)
     order by created_at desc, id desc limit $6`,
    [
      scope.tenantId,
      source ?? null,
      status ?? null,
      ...cursorParams(cursor),
      limit + 1,
      sourcePrefix ?? null,
      metadata ?? null,
    ],
  );
  return pageOf(rows, limit);
}

export interface NewDocument {
  id: string;
  tenantId: string;
  source: string;
  title: string;
  text: string;
  /** Undefined: none, or what the document has. */
  metadata: Record<string, unknown> | undefined;
  textHash: Buffer;
  chunkCount: number;
  splitter: number;
}

/** False when the tenant has a document of this source. Waits for one that is being inserted. */
export async function documentInsert(tx: Tx, document: NewDocument): Promise<boolean> {
  const { id, tenantId, source, title, text, metadata, textHash, chunkCount, splitter } = document;
  const inserted = await tx.execute(
    `insert into vectors.document (id, tenant_id, source, title, text, metadata, text_hash, status, chunk_count, splitter)
     values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)
     on conflict on constraint document_source_key do nothing`,
    [id, tenantId, source, title, text, metadata ?? {}, textHash, chunkCount, splitter],
  );
  return inserted === 1;
}

/** The tenant's document of a source, locked until the transaction ends. */
export async function documentFindBySourceForUpdate(
  tx: Tx,
  tenantId: string,
  source: string,
): Promise<DocumentRow | undefined> {
  const rows = await tx.query<DocumentRow>(
    `select ${DOCUMENT_COLUMNS} from vectors.document where tenant_id = $1 and source = $2 for update`,
    [tenantId, source],
  );
  return rows[0];
}

/** The next version of a document, pending; resolves with its number. */
export async function documentReplace(tx: Tx, document: NewDocument): Promise<number> {
  const rows = await tx.query<{ version: number }>(
    `update vectors.document
     set title = $3, text = $4, metadata = coalesce($5::jsonb, metadata), text_hash = $6, chunk_count = $7, splitter = $8, version = version + 1, status = 'pending', reason = null, updated_at = now()
     where tenant_id = $1 and id = $2
     returning version`,
    [
      document.tenantId,
      document.id,
      document.title,
      document.text,
      document.metadata,
      document.textHash,
      document.chunkCount,
      document.splitter,
    ],
  );
  return rows[0]?.version ?? 0;
}

/** Changes title and metadata, each where given; resolves with the document, locked. Its place in time changes only when it is settled. */
export async function documentPatch(
  tx: Tx,
  tenantId: string,
  id: string,
  { title, metadata }: { title?: string | undefined; metadata?: Record<string, unknown> | undefined },
): Promise<ShownDocument | undefined> {
  const rows = await tx.query<ShownDocument>(
    `update vectors.document
     set title = coalesce($3, title), metadata = coalesce($4::jsonb, metadata),
         updated_at = case when status = 'pending' then updated_at else now() end
     where tenant_id = $1 and id = $2
     returning ${LISTED_COLUMNS}, metadata, null as text`,
    [tenantId, id, title ?? null, metadata ?? null],
  );
  return rows[0];
}

/** Gives the document's chunks its title, by which words find them; their contents, and with them their embeddings, stay. */
export async function chunkSetTitle(tx: Tx, tenantId: string, documentId: string, title: string): Promise<void> {
  await tx.execute(
    `update vectors.chunk set title = $3 where tenant_id = $1 and document_id = $2 and title is distinct from $3`,
    [tenantId, documentId, title],
  );
}

/** A pending document keeps its time: by that it is known when its job is lost, however often it is sent meanwhile. */
export async function documentSetMetadata(
  tx: Tx,
  tenantId: string,
  id: string,
  metadata: Record<string, unknown>,
): Promise<void> {
  await tx.execute(
    `update vectors.document set metadata = $3, updated_at = case when status = 'pending' then updated_at else now() end
     where tenant_id = $1 and id = $2 and metadata is distinct from $3::jsonb`,
    [tenantId, id, metadata],
  );
}

/** Marks a document ready if it is not yet and none of its chunks lacks an embedding of this model; resolves with it when it did. */
export async function documentMarkReady(
  tx: Tx,
  tenantId: string,
  id: string,
  model: string,
): Promise<DocumentRow | undefined> {
  const rows = await tx.query<DocumentRow>(
    `update vectors.document d
     set status = 'ready', reason = null, ready_at = now(), updated_at = now()
     where d.tenant_id = $1 and d.id = $2 and d.status <> 'ready'
       and not exists (
         select from vectors.chunk c
         join vectors.embedding e on e.tenant_id = c.tenant_id and e.content_hash = c.content_hash
         where c.tenant_id = $1 and c.document_id = $2 and e.model is distinct from $3)
     returning ${DOCUMENT_COLUMNS}`,
    [tenantId, id, model],
  );
  return rows[0];
}

/** Marks this version of a document failed; nothing happens when it is ready or a newer version exists. */
export async function documentMarkFailed(
  tx: Tx,
  failed: { tenantId: string; id: string; version: number; reason: string },
): Promise<DocumentRow | undefined> {
  const rows = await tx.query<DocumentRow>(
    `update vectors.document set status = 'failed', reason = $4, updated_at = now()
     where tenant_id = $1 and id = $2 and version = $3 and status = 'pending'
     returning ${DOCUMENT_COLUMNS}`,
    [failed.tenantId, failed.id, failed.version, failed.reason],
  );
  return rows[0];
}

/** The tenant's document, locked until the transaction ends. */
export async function documentFindForUpdate(tx: Tx, tenantId: string, id: string): Promise<DocumentRow | undefined> {
  const rows = await tx.query<DocumentRow>(
    `select ${DOCUMENT_COLUMNS} from vectors.document where tenant_id = $1 and id = $2 for update`,
    [tenantId, id],
  );
  return rows[0];
}

/** Removes a locked document whose chunks are gone, and takes it off what its tenant holds if it was counted there. */
export async function documentDelete(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute(
    `with gone as (
       delete from vectors.document where tenant_id = $1 and id = $2 returning counted_chunks, counted_bytes
     )
     update vectors.usage u
     set document_count = u.document_count - 1, chunk_count = u.chunk_count - g.counted_chunks,
         byte_count = u.byte_count - coalesce(g.counted_bytes, 0), updated_at = now()
     from gone g where u.tenant_id = $1 and g.counted_chunks is not null`,
    [tenantId, id],
  );
}

/**
 * Removes a locked document's chunks. Their contents become candidates for removal, but for those that `keep` names: the
 * document's next version holds them. Whether another document holds one is not asked here: two documents that go at
 * once would each see the other's chunk, and nobody would remove what both held.
 */
export async function chunkDeleteOfDocument(
  tx: Tx,
  tenantId: string,
  documentId: string,
  keep: readonly Buffer[],
): Promise<void> {
  await tx.execute(
    `with gone as (
       delete from vectors.chunk where tenant_id = $1 and document_id = $2 returning content_hash
     )
     insert into vectors.orphan_candidate (tenant_id, content_hash)
     select $1::uuid, released.content_hash
     from (select content_hash from gone except select unnest($3::bytea[])) released
     order by released.content_hash
     on conflict (tenant_id, content_hash) do update set released_at = now()`,
    [tenantId, documentId, keep],
  );
}

/** Inserts chunks in document order; their embeddings' rows must exist. */
export async function chunkInsertMany(
  tx: Tx,
  document: { tenantId: string; id: string; title: string },
  chunks: readonly Chunk[],
): Promise<void> {
  await tx.execute(
    `insert into vectors.chunk (tenant_id, document_id, ordinal, content_hash, title, heading, content)
     select $1, $2, c.ordinal - 1, c.content_hash, $3, c.heading, c.content
     from unnest($4::bytea[], $5::text[], $6::text[]) with ordinality as c(content_hash, heading, content, ordinal)`,
    [
      document.tenantId,
      document.id,
      document.title,
      chunks.map(({ hash }) => hash),
      chunks.map(({ heading }) => heading),
      chunks.map(({ content }) => content),
    ],
  );
}

/** Makes the (empty) embedding rows of contents the tenant has not had before. */
export async function embeddingInsertMissing(tx: Tx, tenantId: string, hashes: readonly Buffer[]): Promise<void> {
  await tx.execute(
    `insert into vectors.embedding (tenant_id, content_hash)
     select $1, h from (select distinct h from unnest($2::bytea[]) as h order by h) as hashes
     on conflict (tenant_id, content_hash) do nothing`,
    [tenantId, hashes],
  );
}

/** How many different contents of a document lack an embedding of this model. */
export async function embeddingCountMissing(
  tx: Tx,
  tenantId: string,
  documentId: string,
  model: string,
): Promise<number> {
  const rows = await tx.query<{ missing: number }>(
    `select count(distinct c.content_hash)::int as missing
     from vectors.chunk c
     join vectors.embedding e on e.tenant_id = c.tenant_id and e.content_hash = c.content_hash
     where c.tenant_id = $1 and c.document_id = $2 and e.model is distinct from $3`,
    [tenantId, documentId, model],
  );
  return rows[0]?.missing ?? 0;
}

export interface MissingContent {
  /** Hexadecimal content hash. */
  hash: string;
  heading: string;
  content: string;
}

/** Contents of a document that lack an embedding of this model, in document order, each once, at most `limit`. */
export async function embeddingListMissing(
  scope: TenantScope,
  documentId: string,
  model: string,
  limit: number,
): Promise<MissingContent[]> {
  return tenantQuery<MissingContent>(
    scope,
    `select encode(c.content_hash, 'hex') as hash, min(c.heading) as heading, min(c.content) as content
     from vectors.chunk c
     join vectors.embedding e on e.tenant_id = c.tenant_id and e.content_hash = c.content_hash
     where c.tenant_id = $1 and c.document_id = $2 and e.model is distinct from $3
     group by c.content_hash
     order by min(c.ordinal)
     limit $4`,
    [scope.tenantId, documentId, model, limit],
  );
}

/** Fills embeddings; those already there of the same model stay as they are. Resolves with how many were filled. */
export async function embeddingFill(
  tx: Tx,
  tenantId: string,
  model: string,
  filled: readonly { hash: string; vector: readonly number[] }[],
): Promise<number> {
  const inOrder = [...filled].sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return tx.execute(
    `update vectors.embedding e set model = $2, embedding = f.embedding::vector, created_at = now()
     from unnest($3::text[], $4::text[]) as f(hash, embedding)
     where e.tenant_id = $1 and e.content_hash = decode(f.hash, 'hex') and e.model is distinct from $2`,
    [tenantId, model, inOrder.map(({ hash }) => hash), inOrder.map(({ vector }) => toVector(vector))],
  );
}
