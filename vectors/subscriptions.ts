// What vectors does when events arrive. Each subscription has an inbox of its own name: an event delivered
// twice acts once.
import { Subscription } from "encore.dev/pubsub";
import { consumer } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { usageCountDocument } from "./store/documents";

const countUsage = consumer("vectors-usage", {
  "vectors.document.ready@1": async (tx, { payload: { documentId } }) => {
    if (tx.tenantId !== null) await usageCountDocument(tx, tx.tenantId, documentId);
  },
});

export const usage = new Subscription(domainEvents, "vectors-usage", { handler: countUsage, maxConcurrency: 1 });
