// What vectors does when events arrive. Each subscription has an inbox of its own name: an event delivered
// twice acts once.
import { Subscription } from "encore.dev/pubsub";
import { consumer, ofPlatform } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { enqueue } from "../queues/enqueue";
import { purgeJob } from "./jobs";
import { usageCountDocument } from "./store/usage";

const countUsage = consumer("vectors-usage", {
  "vectors.document.ready@1": async (tx, { payload: { documentId } }) => {
    if (tx.tenantId !== null) await usageCountDocument(tx, tx.tenantId, documentId);
  },
});

/** The job, not the event, has the time that a large organisation needs. */
const purgeTenants = consumer("vectors-purge", {
  "auth.organisation.deleted@1": ofPlatform(async (tx, { payload: { organisationId } }) => {
    await enqueue(tx, purgeJob, { organisationId }, { tenantId: null });
  }),
});

export const purge = new Subscription(domainEvents, "vectors-purge", { handler: purgeTenants, maxConcurrency: 1 });

export const usage = new Subscription(domainEvents, "vectors-usage", { handler: countUsage, maxConcurrency: 1 });
