// An organisation that is gone for good leaves nothing readable behind.
import { Subscription } from "encore.dev/pubsub";
import { consumer, ofPlatform } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { tenantShred } from "./store";

const shred = consumer("secrets-shred", {
  "auth.organisation.deleted@1": ofPlatform((tx, { payload: { organisationId } }) => tenantShred(tx, organisationId)),
});

export const shredding = new Subscription(domainEvents, "secrets-shred", { handler: shred, maxConcurrency: 1 });
