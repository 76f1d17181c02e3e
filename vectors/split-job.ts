// The job that splits a document's text again, and its worker. Apart from jobs.ts, which the storing of documents asks for.
import { z } from "zod";
import { RETRY } from "../queues/conventions";
import { defineJob } from "../queues/job";
import { makeWorker, UnrecoverableJobError } from "../queues/worker";
import { activeEmbedder } from "./active-embedder";
import { keepAsSplit, resplitDocument } from "./resplitting";

export const splitJob = defineJob({
  name: "vectors:split",
  payload: z.object({
    documentId: z.uuid(),
    documentVersion: z.int().positive(),
    splitter: z.int().positive(),
  }),
  retry: RETRY.standard,
  timeoutMs: 120_000,
  // Nobody waits for it.
  concurrency: 1,
});

makeWorker(
  splitJob,
  async ({ documentId }, { tenantId }) => {
    if (tenantId === null) throw new UnrecoverableJobError("a document belongs to a tenant");
    await resplitDocument({ tenantId }, documentId, activeEmbedder().model);
  },
  {
    onFailed: async (tx, payload, { tenantId }) => {
      if (tenantId !== null) await keepAsSplit(tx, tenantId, payload);
    },
  },
);
