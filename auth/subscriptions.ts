// What happens elsewhere that an organisation's administrators are told by mail: who they are, only auth knows.
import { Subscription } from "encore.dev/pubsub";
import { consumer } from "../events/consumer";
import { domainEvents } from "../events/topic";
import { tellAdministrators } from "./owner-notices";

const notices = consumer("auth-notices", {
  "webhooks.endpoint.disabled@1": async (tx, { tenantId, payload: { host, reason } }) => {
    if (tenantId !== null) await tellAdministrators(tx, tenantId, `webhook-${reason}`, host);
  },
});

export const notify = new Subscription(domainEvents, "auth-notices", { handler: notices, maxConcurrency: 1 });
