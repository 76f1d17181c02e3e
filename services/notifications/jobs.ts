// Who runs the jobs of notifications.
import { makeWorker, UnrecoverableJobError, type FailureHandler } from "../../queues/worker";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { contactsOf } from "./contacts";
import { deliverDigest } from "./deliver-digest";
import { deliverEmail } from "./deliver-email";
import { deliverPush } from "./deliver-push";
import { decideAbout, fanOut } from "./fan-out";
import { digestJob, emailJob, fanOutJob, purgeMemberJob, purgeTenantJob, pushJob, releaseJob } from "./job-definitions";
import { digestFail } from "./store/digests";
import { deliveryFail } from "./store/deliveries";
import { purgeMember, purgeTenant } from "./tenant-purge";

function ofTenant(tenantId: TenantId | null): { tenantId: TenantId } {
  if (tenantId === null) throw new UnrecoverableJobError("a notification belongs to a tenant");
  return { tenantId };
}

makeWorker(fanOutJob, async ({ notificationId }, { tenantId, signal }) => {
  await fanOut(ofTenant(tenantId), notificationId, signal);
});

makeWorker(releaseJob, async ({ notificationId, userIds }, { tenantId }) => {
  await decideAbout(ofTenant(tenantId), notificationId, userIds);
});

/** What failed for good is told of in its receipt. */
const onFailed: FailureHandler<{ deliveryId: string }> = async (tx, { deliveryId }, { tenantId, reason }) => {
  if (tenantId !== null) await deliveryFail(tx, tenantId, deliveryId, reason);
};

makeWorker(emailJob, ({ deliveryId }, { tenantId }) => deliverEmail(ofTenant(tenantId), deliveryId), { onFailed });
makeWorker(digestJob, (digest, { tenantId }) => deliverDigest(ofTenant(tenantId), digest), {
  onFailed: async (tx, { digestId }, { tenantId, reason }) => {
    if (tenantId !== null) await digestFail(tx, tenantId, digestId, reason);
  },
});
makeWorker(pushJob, ({ deliveryId }, { tenantId }) => deliverPush(ofTenant(tenantId), deliveryId), { onFailed });

makeWorker(purgeTenantJob, async ({ organisationId }, { tenantId }) => {
  // The app alone ends a tenant: a job of a tenant may name any other one.
  if (tenantId !== null) throw new UnrecoverableJobError("an organisation is not purged by a tenant");
  if (!(await purgeTenant(tenantIdFrom(organisationId))))
    throw new Error("the organisation's notifications are not gone yet: the next attempt goes on");
});

makeWorker(purgeMemberJob, async ({ memberId }, { tenantId }) => {
  const scope = ofTenant(tenantId);
  // Invited again meanwhile: what there is now is theirs.
  if ((await contactsOf(scope, [memberId])).has(memberId)) return;
  if (!(await purgeMember(scope.tenantId, memberId)))
    throw new Error("the member's notifications are not gone yet: the next attempt goes on");
});
