// What travels as a BullMQ job's data: the payload with whom it is for and the trace it belongs to. Checked
// when it comes back, since another version of the app may have written it.
import { z } from "zod";
import { isUuid } from "../db/ids";
import { tenantIdFrom, type TenantId } from "../security/principal";

/** Header of a job that was canceled before it ran. */
export const CANCELED_HEADER = "job-canceled";

/** Header of a child in a flow: its id, also when it is sent again under another. */
export const FLOW_CHILD_HEADER = "flow-child";
/** Header of a flow's parent: the flow's id. */
export const FLOW_HEADER = "flow";
/** Header of a parent that fails because a child has: that one's id. */
export const FLOW_FAILED_HEADER = "flow-failed";

export const jobEnvelope = z.object({
  payload: z.unknown(),
  tenantId: z
    .string()
    .refine(isUuid, "must be a UUID")
    .transform((text) => tenantIdFrom(text))
    .nullable(),
  headers: z.record(z.string(), z.string()),
});

/** As stored. */
export type JobData = z.input<typeof jobEnvelope>;

export interface OpenedEnvelope {
  payload: unknown;
  tenantId: TenantId | null;
  headers: Record<string, string>;
  /** Why it is none, where it is none: the other fields then hold what could be read. */
  fault?: string;
}

/** Whose it says it is, unchecked: for counting. */
export function claimedTenantOf(data: unknown): string | null {
  const tenantId: unknown = (data as Partial<JobData> | null | undefined)?.tenantId;
  return typeof tenantId === "string" ? tenantId : null;
}

/** Reads what came back. Never throws: a job that cannot be read must still reach the dead letters. */
export function openEnvelope(data: unknown): OpenedEnvelope {
  const opened = jobEnvelope.safeParse(data);
  if (opened.success) return opened.data;
  return { payload: data ?? null, tenantId: null, headers: {}, fault: opened.error.message };
}
