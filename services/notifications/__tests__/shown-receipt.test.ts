// What receipts tell a sender of the people that they reached.
import { notifications } from "~encore/clients";
import { expect, test, vi } from "vitest";
import { runRelayAndWorkers } from "../../../testing";
import "../jobs";
import { found, joinMember, sendTo } from "./people";

runRelayAndWorkers();

test("who sends without managing notifications learns neither addresses nor what somebody prefers nor when they sleep", async () => {
  const owner = await found();
  const [ada, bob, carol] = [await joinMember(owner), await joinMember(owner), await joinMember(owner)];
  const hour = (later: number): string => new Date(Date.now() + later * 3_600_000).toISOString().slice(11, 16);
  await notifications.putPreferences({ quietHours: { from: hour(-1), to: hour(2) }, timeZone: "UTC" }, bob);
  const id = await sendTo(ada, [bob, carol]);
  await vi.waitFor(
    async () => {
      const { counts } = await notifications.listReceipts({ id }, owner);
      expect(counts).toContainEqual({ channel: "email", state: "held", count: 1 });
      expect(counts).toContainEqual({ channel: "email", state: "sent", count: 1 });
    },
    { timeout: 30_000 },
  );
  const all = await notifications.listReceipts({ id }, owner);
  expect(JSON.stringify(all)).toMatch(/heldUntil.*quiet_hours|quiet_hours.*heldUntil/);
  expect(JSON.stringify(all)).toContain(carol.email);
  const told = await notifications.listReceipts({ id }, ada);
  expect(told.receipts).toHaveLength(all.receipts.length);
  expect(JSON.stringify(told)).not.toMatch(/"held|quiet|channel_off|no_destination|@/);
  expect(told.counts).toContainEqual({ channel: "email", state: "queued", count: 1 });
  expect(told.counts).toContainEqual({ channel: "sms", state: "withheld", count: 2 });
});
