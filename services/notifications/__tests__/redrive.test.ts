// Dead letters of deliveries: what the queue gave up can be tried again, what the other side refused cannot.
import { notifications } from "~encore/clients";
import { expect, test, vi } from "vitest";
import { tenantQuery, withTenant } from "../../../db/tenant";
import { runRelayAndWorkers } from "../../../testing";
import { deliverEmail } from "../deliver-email";
import "../jobs";
import { deliveryEnd, deliveryFail } from "../store/deliveries";
import { found, receiptsOf, sendTo, type Member } from "./people";

runRelayAndWorkers();

/** A mail of a notification, as it was before it was sent. */
async function queuedMail(owner: Member): Promise<{ id: string; deliveryId: string }> {
  const id = await sendTo(owner, [owner]);
  await vi.waitFor(async () => expect(await receiptsOf(owner, id)).toContain("email sent"), { timeout: 30_000 });
  const { receipts } = await notifications.listReceipts({ id }, owner);
  const { id: deliveryId } = receipts.find(({ channel }) => channel === "email")!;
  await tenantQuery(owner, `update notifications.delivery set state = 'queued' where tenant_id = $1 and id = $2`, [
    owner.tenantId,
    deliveryId,
  ]);
  return { id, deliveryId };
}

test.each(["attempts_exhausted", "stalled_too_often"])(
  "a delivery that failed by %s goes when it is redriven",
  async (why) => {
    const owner = await found();
    const { id, deliveryId } = await queuedMail(owner);
    await withTenant(owner, (tx) => deliveryFail(tx, owner.tenantId, deliveryId, why));
    expect(await receiptsOf(owner, id)).toContain(`email failed ${why}`);
    await deliverEmail(owner, deliveryId);
    expect(await receiptsOf(owner, id)).toContain("email sent");
  },
);

test("a delivery that fails again after it was redriven says so, and what was refused for good stays refused", async () => {
  const owner = await found();
  const { id, deliveryId } = await queuedMail(owner);
  await withTenant(owner, (tx) => deliveryFail(tx, owner.tenantId, deliveryId, "attempts_exhausted"));
  await notifications.putPreferences({ categories: { billing: { toEmails: false } } }, owner);
  await deliverEmail(owner, deliveryId);
  expect(await receiptsOf(owner, id)).toContain("email withheld channel_off");
  await notifications.putPreferences({}, owner);
  const other = await queuedMail(owner);
  await deliveryEnd(owner, other.deliveryId, { state: "failed", reason: "refused" });
  await deliverEmail(owner, other.deliveryId);
  expect(await receiptsOf(owner, other.id)).toContain("email failed refused");
});
