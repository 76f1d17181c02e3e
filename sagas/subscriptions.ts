// An organisation that is gone for good leaves no saga behind: what was to be done or undone in it is gone with it.
import { Subscription } from "encore.dev/pubsub";
import { consumer, ofPlatform } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { enqueue } from "../queues/enqueue";
import { purgeJob } from "./purge-job";

/** The job, not the event, has the time that a large organisation needs. */
const purgeTenants = consumer("sagas-purge", {
  "auth.organisation.deleted@1": ofPlatform(async (tx, { payload: { organisationId } }) => {
    await enqueue(tx, purgeJob, { organisationId }, { tenantId: null });
  }),
});

export const purge = new Subscription(domainEvents, "sagas-purge", { handler: purgeTenants, maxConcurrency: 1 });
