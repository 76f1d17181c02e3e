// The jobs of files: reading a text, removing bytes, and removing all that an organisation has.
import { z } from "zod";
import { RETRY } from "../../queues/conventions";
import { enqueue } from "../../queues/enqueue";
import { defineJob } from "../../queues/job";
import { makeWorker, UnrecoverableJobError } from "../../queues/worker";
import { tenantIdFrom } from "../../security/principal";
import { removeParts } from "./bucket";
import { removeDocuments, sourcesOf } from "./document";
import { extractAsset, giveUpAsset } from "./extraction";
import { assetFindLocked } from "./store/assets";
import { purgeTenant } from "./tenant-purge";

export const extractJob = defineJob({
  name: "assets:extract",
  payload: z.object({ assetId: z.uuid(), assetVersion: z.int().positive() }),
  retry: { ...RETRY.standard, attempts: 12, maxDelayMs: 900_000 },
  timeoutMs: 300_000,
  // Each is a process of its own with some hundred megabytes: one at a time in a process of the app, and one of an organisation.
  perTenant: { concurrency: 1 },
  concurrency: 1,
});

export const removeJob = defineJob({
  name: "assets:remove",
  payload: z.object({
    /** How the sources of its documents begin. */
    source: z.string().optional(),
    stored: z.array(z.object({ id: z.uuid(), parts: z.int().positive() })),
  }),
  retry: { ...RETRY.standard, attempts: 100, maxDelayMs: 900_000 },
  timeoutMs: 600_000,
  concurrency: 2,
  isCancelable: false,
});

makeWorker(
  extractJob,
  async (asset, { tenantId, actor, signal }) => {
    if (tenantId === null) throw new UnrecoverableJobError("a file belongs to a tenant");
    return { status: await extractAsset({ tenantId, actor }, asset, signal) };
  },
  {
    onFailed: async (tx, asset, { tenantId }) => {
      if (tenantId === null || (await giveUpAsset(tx, tenantId, asset))) return;
      // It may have made the document of a file that is gone.
      if ((await assetFindLocked(tx, tenantId, asset.assetId)) === undefined)
        await enqueue(tx, removeJob, { source: sourcesOf(asset.assetId), stored: [] }, { tenantId });
    },
  },
);

makeWorker(removeJob, async ({ source, stored }, { tenantId, actor }) => {
  if (tenantId === null) throw new UnrecoverableJobError("a file belongs to a tenant");
  for (const { id, parts } of stored) await removeParts({ tenantId, id }, parts);
  if (source !== undefined) await removeDocuments({ tenantId, actor }, source);
});

export const purgeJob = defineJob({
  name: "assets:purge-tenant",
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
    throw new Error("the organisation's files are not gone yet: the next attempt goes on");
});
