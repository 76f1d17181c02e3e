// Splitting stored texts again when the splitter has changed (SPLITTER_VERSION): the hourly upkeep asks for a job for each
// document that an older one split. Contents that come out the same keep their embeddings. Doing it twice changes nothing.
import { withSystem, withTenant, type TenantScope, type Tx } from "../db/tenant";
import { idempotencyKey } from "../queues/conventions";
import { enqueue } from "../queues/enqueue";
import type { JobDefinition } from "../queues/job";
import { tenantIdFrom } from "../security/principal";
import { chunkMarkdown, SPLITTER_VERSION } from "./chunker";
import { replaceVersion } from "./ingestion";
import {
  chunkHashesAre,
  documentFindForSplitting,
  documentListSplitBefore,
  documentMarkSplit,
} from "./store/splitting";

/** In an hour; the jobs of all organisations take turns with other work. */
const PER_RUN = 1_000;

export interface SplitPayload {
  documentId: string;
  documentVersion: number;
  splitter: number;
}

/** Asks for the jobs of documents that an older splitter split; resolves with how many there are in this run. */
export async function enqueueResplits(job: JobDefinition<SplitPayload>, limit = PER_RUN): Promise<number> {
  return withSystem("resplit-documents", async (tx) => {
    const documents = await documentListSplitBefore(tx, SPLITTER_VERSION, limit);
    for (const { id, tenantId, version } of documents)
      await enqueue(
        tx,
        job,
        { documentId: id, documentVersion: version, splitter: SPLITTER_VERSION },
        { tenantId: tenantIdFrom(tenantId), dedupeKey: idempotencyKey(id, version, SPLITTER_VERSION) },
      );
    return documents.length;
  });
}

/** Splits one document again, unless that was done meanwhile or it has another text by now. @throws MarkdownError */
export async function resplitDocument(scope: TenantScope, id: string, model: string): Promise<void> {
  const { tenantId } = scope;
  const found = await withTenant(scope, (tx) => documentFindForSplitting(tx, tenantId, id, SPLITTER_VERSION));
  if (found === undefined) return;
  const { chunks } = await chunkMarkdown(found.text);
  await withTenant(scope, async (tx) => {
    const locked = await documentFindForSplitting(tx, tenantId, id, SPLITTER_VERSION);
    if (locked === undefined || locked.version !== found.version) return;
    const hashes = chunks.map(({ hash }) => hash);
    if (await chunkHashesAre(tx, tenantId, id, hashes)) {
      await documentMarkSplit(tx, { tenantId, id, version: locked.version, splitter: SPLITTER_VERSION });
      return;
    }
    const document = {
      ...locked,
      tenantId,
      metadata: undefined,
      chunkCount: chunks.length,
      splitter: SPLITTER_VERSION,
    };
    await replaceVersion(tx, { document, chunks }, model);
  });
}

/** A text that this splitter cannot split keeps its chunks, and is not tried again. */
export async function keepAsSplit(tx: Tx, tenantId: string, payload: SplitPayload): Promise<void> {
  await documentMarkSplit(tx, {
    tenantId,
    id: payload.documentId,
    version: payload.documentVersion,
    splitter: payload.splitter,
  });
}
