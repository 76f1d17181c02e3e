// Taking a document in: split, compared with what the tenant has, and stored together with the event that says so and
// the job that makes the missing embeddings. One transaction; nothing slow in it.
import { createHash } from "node:crypto";
import { DbError } from "../db/errors";
import { newId } from "../db/ids";
import { withTenant, type TenantScope, type Tx } from "../db/tenant";
import { documentIngested, documentReady } from "../events/catalog/vectors";
import { emit } from "../events/outbox";
import { idempotencyKey } from "../queues/conventions";
import { enqueue } from "../queues/enqueue";
import { chunkMarkdown, SPLITTER_VERSION, type Chunk, type ChunkedDocument } from "./chunker";
import { errors } from "./errors";
import { embedJob } from "./jobs";
import { MarkdownError } from "./markdown-processes";
import {
  chunkDeleteOfDocument,
  chunkInsertMany,
  documentFindBySourceForUpdate,
  documentInsert,
  documentMarkReady,
  documentReplace,
  documentSetMetadata,
  embeddingCountMissing,
  embeddingInsertMissing,
  type DocumentRow,
  type DocumentStatus,
  type NewDocument,
} from "./store/documents";
import { documentListUnchanged } from "./store/states";

export interface Ingestion {
  /** What the document is to its owner: a path, an address. One document per organisation and source. */
  source: string;
  title?: string | undefined;
  /** Markdown, or plain text. */
  text: string;
  metadata?: Record<string, string | number | boolean> | undefined;
}

export interface IngestionResult {
  id: string;
  status: DocumentStatus;
}

/** All attempts of the job are over by then: whoever sends a document again that is still pending has it tried anew. */
export const PENDING_MAX_MS = 4 * 3_600_000;

/** Raise when what is stored of an unchanged text changes. */
const TEXT_HASH_VERSION = "2";

export interface Prepared {
  document: NewDocument;
  chunks: Chunk[];
}

const CHARS_PER_POINT = 16_384;

/** Points of the limit `ingest` that a text costs beside its request: splitting and embedding take time by its length. */
export const ingestionPoints = (text: string): number => Math.floor(text.length / CHARS_PER_POINT);

/** So often a document may be deleted just before this one would replace it; then the sender is told to wait. */
const STORE_ATTEMPTS = 5;

/**
 * Stores a document, or a new version of it. The same text again changes nothing and asks for nothing; contents the
 * tenant already has are not embedded again. `ready` at once when nothing is missing.
 */
export async function ingest(principal: TenantScope, input: Ingestion, model: string): Promise<IngestionResult> {
  const unchanged = (await findUnchanged(principal, [input], model)).get(input.source);
  return unchanged ?? ingestChanged(principal, input, model);
}

/** What of `inputs`, at most 100 of different sources, is stored as it is with nothing left to do, by its source: no text is split for it. */
export async function findUnchanged(
  scope: TenantScope,
  inputs: readonly Ingestion[],
  model: string,
): Promise<Map<string, IngestionResult>> {
  const sent = inputs.map((input) => ({
    source: input.source,
    textHash: textHashOf(input),
    metadata: input.metadata,
  }));
  const pendingAfter = new Date(Date.now() - PENDING_MAX_MS);
  const found = await documentListUnchanged(scope, sent, { splitter: SPLITTER_VERSION, model, pendingAfter });
  return new Map(found.map(({ source, id, status }) => [source, { id, status }]));
}

/** As ingest, without looking first whether anything is to be done. */
export async function ingestChanged(principal: TenantScope, input: Ingestion, model: string): Promise<IngestionResult> {
  const prepared = prepare(principal, input, await split(input.text));
  const run = (): Promise<IngestionResult> => withTenant(principal, (tx) => store(tx, prepared, model));
  try {
    return await run();
  } catch (error) {
    // The upkeep removed an orphaned embedding just when it was about to be needed again: now it is missing.
    if (error instanceof DbError && error.kind === "foreign_key_violation") return run();
    throw error;
  }
}

/** @throws APIError when the text needs more than a text may have, or too many texts wait. */
export async function split(text: string): Promise<ChunkedDocument> {
  try {
    return await chunkMarkdown(text);
  } catch (error) {
    if (error instanceof MarkdownError && error.problem === "too_complex")
      throw errors.document_too_complex({ fields: { text: "is too complex" }, cause: error });
    if (error instanceof MarkdownError && error.problem === "busy")
      throw errors.documents_waiting({ retryAfterSeconds: 5, cause: error });
    throw error;
  }
}

/** Of what was sent, so that it is known without splitting the text: a title that was not sent follows from the text. */
function textHashOf({ title, text }: Pick<Ingestion, "title" | "text">): Buffer {
  const sentTitle = title === undefined ? "" : `=${title}`;
  return createHash("sha256").update(`${TEXT_HASH_VERSION}\0${sentTitle}\0${text}`).digest();
}

function prepare(
  { tenantId }: TenantScope,
  { source, title, text, metadata }: Ingestion,
  { title: headingTitle, chunks }: ChunkedDocument,
): Prepared {
  const document = {
    id: newId(),
    tenantId,
    source,
    title: title ?? headingTitle ?? source,
    text,
    metadata,
    textHash: textHashOf({ title, text }),
    chunkCount: chunks.length,
    splitter: SPLITTER_VERSION,
  };
  return { document, chunks };
}

async function store(tx: Tx, prepared: Prepared, model: string): Promise<IngestionResult> {
  const { document } = prepared;
  // A statement sees what was committed before it, and a document that blocked the insert may be deleted by then.
  for (let attempt = 1; attempt <= STORE_ATTEMPTS; attempt++) {
    if (await documentInsert(tx, document)) return storeVersion(tx, prepared, document.id, 1, model);
    const existing = await documentFindBySourceForUpdate(tx, document.tenantId, document.source);
    if (existing !== undefined) return replace(tx, existing, prepared, model);
  }
  throw errors.documents_waiting({ retryAfterSeconds: 1 });
}

async function replace(tx: Tx, existing: DocumentRow, prepared: Prepared, model: string): Promise<IngestionResult> {
  const { document } = prepared;
  if (await isSettled(tx, existing, document, model)) {
    const { metadata } = document;
    if (metadata !== undefined) await documentSetMetadata(tx, document.tenantId, existing.id, metadata);
    return { id: existing.id, status: existing.status };
  }
  return replaceVersion(tx, { document: { ...document, id: existing.id }, chunks: prepared.chunks }, model);
}

/** The next version of a locked document. */
export async function replaceVersion(tx: Tx, prepared: Prepared, model: string): Promise<IngestionResult> {
  const { document } = prepared;
  const version = await documentReplace(tx, document);
  await chunkDeleteOfDocument(
    tx,
    document.tenantId,
    document.id,
    prepared.chunks.map(({ hash }) => hash),
  );
  return storeVersion(tx, prepared, document.id, version, model);
}

/** Unchanged, and nothing to do: not failed, not pending for too long, and not ready under another model or splitter than today's. */
async function isSettled(tx: Tx, existing: DocumentRow, document: NewDocument, model: string): Promise<boolean> {
  if (!existing.textHash.equals(document.textHash) || existing.status === "failed") return false;
  if (existing.splitter !== document.splitter) return false;
  if (existing.status === "pending") return Date.now() - existing.updatedAt.getTime() < PENDING_MAX_MS;
  return (await embeddingCountMissing(tx, document.tenantId, existing.id, model)) === 0;
}

async function storeVersion(
  tx: Tx,
  { document, chunks }: Prepared,
  id: string,
  version: number,
  model: string,
): Promise<IngestionResult> {
  const { tenantId, source, title } = document;
  await embeddingInsertMissing(
    tx,
    tenantId,
    chunks.map(({ hash }) => hash),
  );
  await chunkInsertMany(tx, { tenantId, id, title }, chunks);
  const facts = { documentId: id, source, documentVersion: version, chunks: chunks.length };
  const about = { aggregateType: "document", aggregateId: id };
  if (await documentMarkReady(tx, tenantId, id, model)) {
    await emit(tx, documentReady, facts, about);
    return { id, status: "ready" };
  }
  await emit(tx, documentIngested, { ...facts, missing: await embeddingCountMissing(tx, tenantId, id, model) }, about);
  await enqueue(tx, embedJob, { documentId: id, documentVersion: version }, { dedupeKey: idempotencyKey(id, version) });
  return { id, status: "pending" };
}
