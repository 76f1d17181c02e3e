// The job that fills in a document's embeddings, and its worker.
import { z } from "zod";
import { cfg } from "../config";
import { RETRY } from "../queues/conventions";
import { defineJob } from "../queues/job";
import { makeWorker, UnrecoverableJobError, type JobContext } from "../queues/worker";
import { activeEmbedder } from "./active-embedder";
import { embedDocument, failDocument } from "./embedding";
import { EmbedderError } from "./providers/embedder";

const payload = z.object({ documentId: z.uuid(), documentVersion: z.int().positive() });

export const embedJob = defineJob({
  name: "vectors:embed",
  payload,
  // Tries for half an hour: an embedder or a database that is away for some minutes fails no document.
  retry: { ...RETRY.standard, attempts: 12, maxDelayMs: 900_000 },
  // The largest document is some thousand chunks; each batch is committed by itself.
  timeoutMs: 600_000,
  // Two, so that one document is being stored while the next is with the embedder.
  concurrency: 2,
});

makeWorker(embedJob, runEmbedJob);

/** Embeds what the document still lacks. After the last attempt, or an error no attempt can mend, the document is failed. */
export async function runEmbedJob(
  { documentId, documentVersion }: z.infer<typeof payload>,
  ctx: JobContext,
): Promise<void> {
  if (ctx.tenantId === null) throw new UnrecoverableJobError("a document belongs to a tenant");
  const scope = { tenantId: ctx.tenantId };
  try {
    await embedDocument(
      scope,
      { documentId, batchSize: cfg.embeddings.batchSize, signal: ctx.signal },
      activeEmbedder(),
    );
  } catch (error) {
    const isHopeless = error instanceof EmbedderError && !error.retryable;
    if (!ctx.signal.aborted && (isHopeless || ctx.attempt >= embedJob.retry.attempts)) {
      await failDocument(
        scope,
        { id: documentId, version: documentVersion },
        error instanceof EmbedderError ? error.message : "embedding failed",
      );
    }
    throw isHopeless ? new UnrecoverableJobError(error.message, { cause: error }) : error;
  }
}
