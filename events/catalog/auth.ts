// Events of the auth service.
import { z } from "zod";
import { defineEvent } from "../event";

/** A person registered and an organisation was made for them. */
export const userRegistered = defineEvent({
  type: "auth.user.registered",
  version: 1,
  payload: z.object({ userId: z.uuid(), organisationId: z.uuid(), organisationName: z.string() }),
});
