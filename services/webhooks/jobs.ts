// What does the work: attempts at deliveries, and removing all that an organisation has.
import { z } from "zod";
import { RETRY } from "../../queues/conventions";
import { defineJob } from "../../queues/job";
import { makeWorker, UnrecoverableJobError } from "../../queues/worker";
import { tenantIdFrom } from "../../security/principal";
import { deliverJob } from "./attempt-job";
import { attemptDelivery, settleUnmade } from "./delivery";
import { purgeTenant } from "./tenant-purge";

makeWorker(
  deliverJob,
  async (attempt, { tenantId, signal }) => {
    if (tenantId === null) throw new UnrecoverableJobError("a delivery belongs to a tenant");
    return { outcome: await attemptDelivery(tenantId, attempt, signal) };
  },
  {
    onFailed: async (tx, attempt, { tenantId }) => {
      if (tenantId !== null) await settleUnmade(tx, tenantId, attempt);
    },
  },
);

export const purgeJob = defineJob({
  name: "webhooks:purge-tenant",
  payload: z.object({ organisationId: z.uuid() }),
  // Each attempt goes on where the one before ended, and an organisation may have been sent much.
  retry: { ...RETRY.standard, attempts: 100, maxDelayMs: 900_000 },
  timeoutMs: 600_000,
  concurrency: 1,
});

makeWorker(purgeJob, async ({ organisationId }, { tenantId }) => {
  // The app alone ends a tenant: a job of a tenant may name any other one.
  if (tenantId !== null) throw new UnrecoverableJobError("an organisation is not purged by a tenant");
  if (!(await purgeTenant(tenantIdFrom(organisationId))))
    throw new Error("the organisation's webhooks are not gone yet: the next attempt goes on");
});
