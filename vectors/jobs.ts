// The job that fills in a document's embeddings, and its worker.
import { z } from "zod";
import { cfg } from "../config";
import { RETRY } from "../queues/conventions";
import { defineJob } from "../queues/job";
import { tenantIdFrom } from "../security/principal";
import { makeWorker, UnrecoverableJobError, type JobContext } from "../queues/worker";
import { activeEmbedder } from "./active-embedder";
import { embedDocument, failDocument } from "./embedding";
import { EmbedderError } from "./providers/embedder";
import { purgeTenant } from "./tenant-purge";

const payload = z.object({ documentId: z.uuid(), documentVersion: z.int().positive() });

export const embedJob = defineJob({
  name: "vectors:embed",
  payload,
  // Tries for half an hour: an embedder or a database that is away for some minutes fails no document.
  retry: { ...RETRY.standard, attempts: 12, maxDelayMs: 900_000 },
  // The largest document is some thousand chunks; each batch is committed by itself.
  timeoutMs: 600_000,
  // Two of an organisation, so that one document is being stored while the next is with the embedder; and one kept for another.
  concurrency: 3,
});

makeWorker(embedJob, runEmbedJob, {
  // However its job ends for good, by its handler, by time or by the death of its workers: the document says so.
  onFailed: async (tx, { documentId, documentVersion }, { tenantId, reason }) => {
    if (tenantId !== null) await failDocument(tx, { tenantId, id: documentId, version: documentVersion, reason });
  },
});

const purgePayload = z.object({ organisationId: z.uuid() });

export const purgeJob = defineJob({
  name: "vectors:purge-tenant",
  payload: purgePayload,
  // Each attempt goes on where the one before ended, and an organisation may be large.
  retry: { ...RETRY.standard, attempts: 100, maxDelayMs: 900_000 },
  timeoutMs: 600_000,
  concurrency: 1,
});

makeWorker(purgeJob, async ({ organisationId }, { tenantId }) => {
  // The app alone ends a tenant: a job of a tenant may name any other one.
  if (tenantId !== null) throw new UnrecoverableJobError("an organisation is not purged by a tenant");
  if (!(await purgeTenant(tenantIdFrom(organisationId))))
    throw new Error("the organisation's documents are not gone yet: the next attempt goes on");
});

/** Embeds what the document still lacks. An error that no attempt can mend ends the job. */
export async function runEmbedJob({ documentId }: z.infer<typeof payload>, ctx: JobContext): Promise<void> {
  if (ctx.tenantId === null) throw new UnrecoverableJobError("a document belongs to a tenant");
  const run = { documentId, batchSize: cfg.embeddings.batchSize, signal: ctx.signal };
  try {
    await embedDocument({ tenantId: ctx.tenantId }, run, activeEmbedder());
  } catch (error) {
    if (error instanceof EmbedderError && !error.retryable)
      throw new UnrecoverableJobError(error.message, { cause: error });
    throw error;
  }
}
