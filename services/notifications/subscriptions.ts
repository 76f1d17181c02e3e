// What notifications do when events arrive.
import { Subscription } from "encore.dev/pubsub";
import { consumer, ofPlatform } from "../../events/consumer";
import { domainEvents } from "../../events/topic";
import { enqueue } from "../../queues/enqueue";
import { purgeMemberJob, purgeTenantJob } from "./job-definitions";

/** What was under way when the organisation went (a mail) has ended by then, and what it left goes too. */
const AGAIN_AFTER_MS = 3_600_000;

/** The job, not the event, has the time that a large organisation needs. */
const purgeGone = consumer("notifications-purge", {
  "auth.organisation.deleted@1": ofPlatform(async (tx, { payload: { organisationId } }) => {
    await enqueue(tx, purgeTenantJob, { organisationId }, { tenantId: null });
    await enqueue(tx, purgeTenantJob, { organisationId }, { tenantId: null, delayMs: AGAIN_AFTER_MS });
  }),
  "auth.member.removed@1": async (tx, { payload: { userId } }) => {
    await enqueue(tx, purgeMemberJob, { memberId: userId });
    await enqueue(tx, purgeMemberJob, { memberId: userId }, { delayMs: AGAIN_AFTER_MS });
  },
});

export const purge = new Subscription(domainEvents, "notifications-purge", { handler: purgeGone, maxConcurrency: 1 });
