// Mails that are gathered: one for all that came, each in it once.
import { mail, notifications } from "~encore/clients";
import { expect, test, vi } from "vitest";
import { tenantQuery, withTenant } from "../../../db/tenant";
import { runRelayAndWorkers } from "../../../testing";
import { deliverDigest, type DigestOf } from "../deliver-digest";
import "../jobs";
import { digestFail } from "../store/digests";
import { content, found, receiptsOf, sendTo, type Member } from "./people";

runRelayAndWorkers();

const hourly = { categories: { billing: { digestMinutes: 60 } } };

/** The digests that were begun for somebody's organisation, the oldest first. */
const begun = async (by: Member): Promise<DigestOf[]> =>
  (
    await tenantQuery<{ payload: DigestOf }>(
      by,
      `select payload from events.outbox where tenant_id = $1 and type = 'notifications:send-digest' order by id`,
      [by.tenantId],
    )
  ).map(({ payload }) => payload);

const mailsTo = async ({ email }: Member) => {
  const { messages } = await mail.listMessages({ to: email });
  return Promise.all(messages.map(({ id }) => mail.getMessage({ id })));
};

const email = async (by: Member, id: string): Promise<string | undefined> =>
  (await receiptsOf(by, id)).find((one) => one.startsWith("email"));

const send = async (by: Member, title: string, expected = "email held digest"): Promise<string> => {
  const id = await sendTo(by, [by], { content: { ...content, title } });
  await vi.waitFor(async () => expect(await email(by, id)).toBe(expected), { timeout: 30_000, interval: 50 });
  return id;
};

test("an hour's mails are one that lists them, and the next hour's another", async () => {
  const owner = await found();
  await notifications.putPreferences(hourly, owner);
  const ids = [await send(owner, "First"), await send(owner, "Second"), await send(owner, "Third")];
  const [digest, ...more] = await begun(owner);
  expect(more).toEqual([]);
  const { receipts } = await notifications.listReceipts({ id: ids[0]! }, owner);
  const until = Date.parse(receipts.find(({ channel }) => channel === "email")!.heldUntil!);
  expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(60_000);
  expect(await mailsTo(owner)).toEqual([]);
  await deliverDigest(owner.principal, digest!);
  const [message, ...others] = await mailsTo(owner);
  expect(others).toEqual([]);
  expect(message?.subject).toBe("First (+2)");
  for (const title of ["First", "Second", "Third"]) expect(message?.text.split(title).length).toBeGreaterThan(1);
  expect(message?.text.indexOf("Second")).toBeLessThan(message!.text.indexOf("Third"));
  expect(message?.unsubscribeUrl).toBeDefined();
  for (const id of ids) expect(await email(owner, id)).toBe("email sent");
  await send(owner, "Fourth");
  const [, next] = await begun(owner);
  await deliverDigest(owner.principal, next!);
  expect((await mailsTo(owner)).map(({ subject }) => subject)).toEqual(["Fourth", "First (+2)"]);
});

test("an attempt after a kill sends the same mail, with nothing of what came since", async () => {
  const owner = await found();
  await notifications.putPreferences(hourly, owner);
  const id = await send(owner, "First");
  const [digest] = await begun(owner);
  await deliverDigest(owner.principal, digest!);
  await tenantQuery(
    owner,
    `update notifications.delivery set state = 'queued' where tenant_id = $1 and digest_id = $2`,
    [owner.tenantId, digest!.digestId],
  );
  const later = await send(owner, "Second");
  await deliverDigest(owner.principal, digest!);
  expect((await mailsTo(owner)).map(({ subject }) => subject)).toEqual(["First"]);
  expect([await email(owner, id), await email(owner, later)]).toEqual(["email sent", "email held digest"]);
});

test("what was given up after the last attempt goes when its dead letter is redriven, and what was refused stays refused", async () => {
  const owner = await found();
  await notifications.putPreferences(hourly, owner);
  const id = await send(owner, "First");
  const [digest] = await begun(owner);
  const failed = async (reason: string): Promise<void> =>
    withTenant(owner, (tx) => digestFail(tx, owner.tenantId, digest!.digestId, reason));
  await failed("attempts_exhausted");
  expect(await email(owner, id)).toBe("email failed attempts_exhausted");
  await deliverDigest(owner.principal, digest!);
  expect(await email(owner, id)).toBe("email sent");
  await tenantQuery(
    owner,
    `update notifications.delivery set state = 'failed', reason = 'refused' where tenant_id = $1 and digest_id = $2`,
    [owner.tenantId, digest!.digestId],
  );
  await deliverDigest(owner.principal, digest!);
  expect(await email(owner, id)).toBe("email failed refused");
});

test("quiet hours hold on what is due in them, once", async () => {
  const owner = await found();
  await notifications.putPreferences(hourly, owner);
  const id = await send(owner, "First");
  const [digest] = await begun(owner);
  const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
  const quiet = { quietHours: { from: inHours(-1), to: inHours(12) }, timeZone: "UTC" };
  await notifications.putPreferences({ ...hourly, ...quiet }, owner);
  await deliverDigest(owner.principal, digest!);
  expect([await mailsTo(owner), await email(owner, id)]).toEqual([[], "email held digest"]);
  const { receipts } = await notifications.listReceipts({ id }, owner);
  expect(receipts.find(({ channel }) => channel === "email")?.heldUntil).toContain(`T${quiet.quietHours.to}:00.000Z`);
  const [, held] = await begun(owner);
  expect(held).toEqual({ ...digest, isDue: true });
  // Late, or in the next quiet hours: it was held before.
  await deliverDigest(owner.principal, held!);
  expect(await email(owner, id)).toBe("email sent");
});

test("what is urgent waits for no others, and what is switched off meanwhile is not sent", async () => {
  const owner = await found();
  await notifications.putPolicy({ categories: { billing: { urgent: true, digestMinutes: 60 } } }, owner);
  await send(owner, "At once", "email sent");
  await notifications.putPolicy({}, owner);
  await notifications.putPreferences(hourly, owner);
  const id = await send(owner, "First");
  const [digest] = await begun(owner);
  await notifications.putPreferences({ categories: { billing: { toEmails: false } } }, owner);
  await deliverDigest(owner.principal, digest!);
  expect(await email(owner, id)).toBe("email withheld channel_off");
  expect(await mailsTo(owner)).toHaveLength(1);
});
