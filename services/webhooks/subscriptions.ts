// What webhooks do when events arrive: all of them, since whatever the catalogue has may be asked for.
import { Subscription } from "encore.dev/pubsub";
import { catalog } from "../../events/catalog";
import { consumer, ofPlatform, type EventHandler } from "../../events/consumer";
import { domainEvents } from "../../events/topic";
import { enqueue } from "../../queues/enqueue";
import { purgeJob } from "./jobs";
import { sendEvent } from "./outgoing";

const sendAll = consumer(
  "webhooks-out",
  Object.fromEntries([...catalog.keys()].map((key): [string, EventHandler<unknown>] => [key, sendEvent])),
);

export const send = new Subscription(domainEvents, "webhooks-out", { handler: sendAll });

/** What was under way when the organisation went has ended by then, and what it left goes too. */
const AGAIN_AFTER_MS = 3_600_000;

/** The job, not the event, has the time that a large organisation needs. */
const purgeTenants = consumer("webhooks-purge", {
  "auth.organisation.deleted@1": ofPlatform(async (tx, { payload: { organisationId } }) => {
    await enqueue(tx, purgeJob, { organisationId }, { tenantId: null });
    await enqueue(tx, purgeJob, { organisationId }, { tenantId: null, delayMs: AGAIN_AFTER_MS });
  }),
});

export const purge = new Subscription(domainEvents, "webhooks-purge", { handler: purgeTenants, maxConcurrency: 1 });
