// What vectors does when events arrive. Each subscription has an inbox of its own name: an event delivered
// twice acts once.
import { Subscription } from "encore.dev/pubsub";
import { consumer } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { idempotencyKey } from "../queues/conventions";
import { enqueue } from "../queues/enqueue";
import { embedJob } from "./jobs";
import { usageCountDocument } from "./store/documents";

const index = consumer("vectors-indexing", {
  "vectors.document.ingested@1": async (tx, { payload: { documentId, documentVersion } }) => {
    await enqueue(
      tx,
      embedJob,
      { documentId, documentVersion },
      { dedupeKey: idempotencyKey(documentId, documentVersion) },
    );
  },
});

const countUsage = consumer("vectors-usage", {
  "vectors.document.ready@1": async (tx, { payload: { documentId } }) => {
    if (tx.tenantId !== null) await usageCountDocument(tx, tx.tenantId, documentId);
  },
});

export const indexing = new Subscription(domainEvents, "vectors-indexing", { handler: index, maxConcurrency: 4 });
export const usage = new Subscription(domainEvents, "vectors-usage", { handler: countUsage, maxConcurrency: 1 });
