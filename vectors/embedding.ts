// Embedding a document: what is missing, batch by batch, each committed by itself. Idempotent: it begins by
// asking what is missing, so a run that was killed repeats only the batch that was in flight.
import { withTenant, type TenantScope, type Tx } from "../db/tenant";
import { documentFailed, documentReady } from "../events/catalog/vectors";
import { emit } from "../events/outbox";
import type { TenantId } from "../security/principal";
import { embeddingTexts } from "./embedding-text";
import { InFlight } from "./in-flight";
import type { Embedder } from "./providers/embedder";
import { noteSettled } from "./settled-wait";
import {
  documentMarkFailed,
  documentMarkReady,
  embeddingFill,
  embeddingListMissing,
  type MissingContent,
} from "./store/documents";

export interface EmbeddingRun {
  documentId: string;
  batchSize: number;
  signal: AbortSignal;
}

const inFlight = new InFlight();

/** Resolves when every chunk of the document has an embedding and the document is marked ready. Throws EmbedderError. */
export async function embedDocument(
  scope: TenantScope,
  { documentId, batchSize, signal }: EmbeddingRun,
  embedder: Embedder,
): Promise<void> {
  const list = (): Promise<MissingContent[]> => embeddingListMissing(scope, documentId, embedder.model, batchSize);
  for (;;) {
    const batch = await inFlight.next(scope.tenantId, list, signal);
    if (batch.length === 0) {
      await finish(scope, documentId, [], embedder);
      return;
    }
    try {
      const vectors = await embedder.embed(await embeddingTexts(batch), { signal });
      const ready = await finish(
        scope,
        documentId,
        batch.map((content, index) => ({ ...content, vector: vectors[index] ?? [] })),
        embedder,
      );
      // Nothing more is asked: the document may be waiting for another model by now, and is not this run's any more.
      if (ready) return;
    } finally {
      inFlight.release(scope.tenantId, batch);
    }
  }
}

type Embedded = MissingContent & { vector: number[] };

/** Stores a batch; in the same transaction the document becomes ready if this was its last. True if it did. */
async function finish(
  scope: TenantScope,
  documentId: string,
  batch: readonly Embedded[],
  embedder: Embedder,
): Promise<boolean> {
  return withTenant(scope, async (tx) => {
    if (batch.length > 0) await embeddingFill(tx, scope.tenantId, embedder.model, batch);
    const ready = await documentMarkReady(tx, scope.tenantId, documentId, embedder.model);
    if (ready === undefined) return false;
    tx.afterCommit(() => noteSettled(scope.tenantId, documentId));
    const facts = { documentId, source: ready.source, documentVersion: ready.version, chunks: ready.chunkCount };
    await emit(tx, documentReady, facts, { aggregateType: "document", aggregateId: documentId });
    return true;
  });
}

/**
 * Gives up on this version of a document, in a transaction of its tenant or of the system. `reason` is the word of the job's dead letter,
 * which holds what the embedder said, or job_lost.
 */
export async function failDocument(
  tx: Tx,
  document: { tenantId: TenantId; id: string; version: number; reason: string },
): Promise<void> {
  const failed = await documentMarkFailed(tx, document);
  if (failed === undefined) return;
  tx.afterCommit(() => noteSettled(document.tenantId, failed.id));
  const facts = {
    documentId: failed.id,
    source: failed.source,
    documentVersion: failed.version,
    reason: document.reason,
  };
  const about = { aggregateType: "document", aggregateId: failed.id, tenantId: document.tenantId };
  await emit(tx, documentFailed, facts, about);
}
