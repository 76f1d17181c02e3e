// The jobs of notifications: what they are. Who runs them stands in jobs.ts.
import { z } from "zod";
import { RETRY } from "../../queues/conventions";
import { defineJob } from "../../queues/job";

/** Decides about each who is to get a notification. */
export const fanOutJob = defineJob({
  name: "notifications:fan-out",
  payload: z.object({ notificationId: z.uuid() }),
  retry: { ...RETRY.standard, attempts: 12 },
  timeoutMs: 120_000,
  kind: "notification",
});

/** Decides anew about people whose quiet hours are over. */
export const releaseJob = defineJob({
  name: "notifications:release",
  payload: z.object({ notificationId: z.uuid(), userIds: z.array(z.uuid()).min(1).max(100) }),
  retry: { ...RETRY.standard, attempts: 12 },
  timeoutMs: 60_000,
  kind: "notification",
});

const delivery = z.object({ deliveryId: z.uuid() });

/** More than MAIL_MS_MAX. */
export const emailJob = defineJob({
  name: "notifications:send-email",
  payload: delivery,
  retry: RETRY.external,
  timeoutMs: 45_000,
  kind: "email",
});

/** Sends what was gathered into one mail. */
export const digestJob = defineJob({
  name: "notifications:send-digest",
  payload: z.object({
    ...{ digestId: z.uuid(), userId: z.uuid(), category: z.string(), destination: z.string() },
    /** Quiet hours have held it. */
    isDue: z.boolean().optional(),
  }),
  retry: RETRY.external,
  timeoutMs: 45_000,
  kind: "email",
});

export const pushJob = defineJob({
  name: "notifications:send-push",
  payload: delivery,
  retry: RETRY.external,
  timeoutMs: 30_000,
  kind: "push",
});

export const purgeTenantJob = defineJob({
  name: "notifications:purge-tenant",
  payload: z.object({ organisationId: z.uuid() }),
  // Each attempt goes on where the one before ended, and an organisation may be large.
  retry: { ...RETRY.standard, attempts: 100, maxDelayMs: 900_000 },
  timeoutMs: 600_000,
  concurrency: 1,
});

export const purgeMemberJob = defineJob({
  name: "notifications:purge-member",
  payload: z.object({ memberId: z.uuid() }),
  retry: { ...RETRY.standard, attempts: 100, maxDelayMs: 900_000 },
  timeoutMs: 600_000,
  concurrency: 1,
  isCancelable: false,
});
