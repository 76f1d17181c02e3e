// What quiet hours hold is held once, however late somebody comes to it.
import { expect, test, vi } from "vitest";
import { notifications } from "~encore/clients";
import { tenantQuery } from "../../../db/tenant";
import { runRelayAndWorkers } from "../../../testing";
import { decideAbout } from "../fan-out";
import "../jobs";
import { found, receiptsOf, sendTo } from "./people";

runRelayAndWorkers();

/** Quiet around the clock but for one minute, which is not soon. */
function nearlyAlways(): { quietHours: { from: string; to: string }; timeZone: string } {
  const minute = (later: number): string => new Date(Date.now() + later * 60_000).toISOString().slice(11, 16);
  return { quietHours: { from: minute(-60), to: minute(-61) }, timeZone: "UTC" };
}

test("a release that comes when it is quiet again delivers, and one that comes too early holds on", async () => {
  const owner = await found();
  await notifications.putPreferences(nearlyAlways(), owner);
  const id = await sendTo(owner, [owner]);
  await vi.waitFor(async () => expect(await receiptsOf(owner, id)).toContain("email held quiet_hours"), {
    timeout: 30_000,
  });
  await decideAbout(owner, id, [owner.id]);
  expect(await receiptsOf(owner, id)).toContain("email held quiet_hours");
  // A day passes, less a minute.
  await tenantQuery(
    owner,
    `update notifications.delivery set held_until = now() - interval '2 minutes' where tenant_id = $1 and state = 'held'`,
    [owner.tenantId],
  );
  await decideAbout(owner, id, [owner.id]);
  await vi.waitFor(async () => expect(await receiptsOf(owner, id)).toContain("email sent"), { timeout: 30_000 });
});
