// Events of the auth service. Payloads carry ids and the least personal data that consumers need.
import { z } from "zod";
import { defineEvent } from "../event";

/** A person registered; the organisation they made is their tenant. */
export const userRegistered = defineEvent({
  type: "auth.user.registered",
  version: 1,
  payload: z.object({ userId: z.uuid(), organisationId: z.uuid(), organisationName: z.string() }),
});

/** An organisation, and with it a tenant, came to be. */
export const organisationCreated = defineEvent({
  type: "auth.organisation.created",
  version: 1,
  payload: z.object({ organisationId: z.uuid(), name: z.string(), ownerId: z.uuid() }),
});
