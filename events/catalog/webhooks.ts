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
