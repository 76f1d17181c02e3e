// The job that removes what an organisation that is gone has here, and its worker.
import { z } from "zod";
import { RETRY } from "../../queues/conventions";
import { defineJob } from "../../queues/job";
import { makeWorker, UnrecoverableJobError } from "../../queues/worker";
import { tenantIdFrom } from "../../security/principal";
import { purgeTenant } from "./tenant-purge";

export const purgeJob = defineJob({
  name: "records:purge-tenant",
  payload: z.object({ organisationId: z.uuid() }),
  // Each attempt goes on where the one before ended, and an organisation may be large.
  retry: { ...RETRY.standard, attempts: 100, maxDelayMs: 900_000 },
  timeoutMs: 600_000,
  concurrency: 1,
});

makeWorker(purgeJob, async ({ organisationId }, { tenantId }) => {
  // The app alone ends a tenant: a job of a tenant may name any other one.
  if (tenantId !== null) throw new UnrecoverableJobError("an organisation is not purged by a tenant");
  if (!(await purgeTenant(tenantIdFrom(organisationId))))
    throw new Error("the organisation's records are not gone yet: the next attempt goes on");
});
