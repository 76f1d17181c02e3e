// What travels as a BullMQ job's data: the payload with whom it is for and the trace it belongs to. Checked
// when it comes back, since another version of the app may have written it.
import { z } from "zod";
import { tenantIdFrom } from "../security/principal";

export const jobEnvelope = z.object({
  payload: z.unknown(),
  tenantId: z
    .string()
    .transform((text) => tenantIdFrom(text))
    .nullable(),
  headers: z.record(z.string(), z.string()),
});

/** As stored. */
export type JobData = z.input<typeof jobEnvelope>;
