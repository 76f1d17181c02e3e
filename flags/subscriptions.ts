// An organisation that is gone for good has no flags.
import { Subscription } from "encore.dev/pubsub";
import { consumer, ofPlatform } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { overrideDeleteOfTenant } from "./store";

const purge = consumer("flags-purge", {
  "auth.organisation.deleted@1": ofPlatform((tx, { payload: { organisationId } }) =>
    overrideDeleteOfTenant(tx, organisationId),
  ),
});

export const purging = new Subscription(domainEvents, "flags-purge", { handler: purge, maxConcurrency: 1 });
