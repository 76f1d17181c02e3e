// Events of the webhooks service.
import { z } from "zod";
import { defineEvent } from "../event";

/** Nothing is delivered to it until somebody enables it. `host` is where it was: its address may hold more than others are to know. */
export const endpointDisabled = defineEvent({
  type: "webhooks.endpoint.disabled",
  version: 1,
  payload: z.object({
    endpointId: z.uuid(),
    host: z.string(),
    /** gone: it answered 410; failing: nothing was delivered for days. */
    reason: z.enum(["gone", "failing"]),
  }),
});

/** A webhook came in that was signed by whom the organisation shares a secret with. Each comes once, however often it was sent. */
export const webhookReceived = defineEvent({
  type: "webhooks.message.received",
  version: 1,
  payload: z.object({
    sourceId: z.uuid(),
    sourceName: z.string(),
    scheme: z.enum(["standard", "stripe", "github"]),
    /** As its sender calls it; empty where it has no name. GitHub's is not signed. */
    messageId: z.string(),
    /** What its sender says has happened; empty where it says nothing. GitHub's is not signed. */
    eventType: z.string(),
    /** Its JSON; a text where it is none. */
    body: z.unknown(),
  }),
});
