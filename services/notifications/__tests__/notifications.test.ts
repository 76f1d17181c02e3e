// A notification's way: sent, decided about for each person, delivered, told of. On the real queues, the real database and the
// mailbox of mail/.
import { audit, mail, notifications } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { tenantQuery, withSystem, withTenant } from "../../../db/tenant";
import { escapeHtml } from "../../../security/escape-html";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { deliverEmail } from "../deliver-email";
import { decideAbout } from "../fan-out";
import "../jobs";
import { notificationMail } from "../mail-text";
import { deliveryPurge } from "../store/deliveries";
import { notificationPurge, recipientPurge } from "../store/notifications";
import { purgeMember, purgeTenant } from "../tenant-purge";
import { createUnsubscribeToken, readUnsubscribeToken } from "../unsubscribe-token";
import { content, found, joinMember, reason, receiptsOf, sendTo, type Member } from "./people";

runRelayAndWorkers();

const PUSH = "push withheld no_destination";
const SMS = "sms withheld channel_off";
const DELIVERED = ["email sent", "in_app delivered", PUSH, SMS];

const until = (holds: () => Promise<void>): Promise<void> => vi.waitFor(holds, { timeout: 30_000, interval: 50 });

const settled = (by: Caller, id: string, to: Member, expected: string[]): Promise<void> =>
  until(async () => expect(await receiptsOf(by, id, to)).toEqual([...expected].sort()));

const mailsTo = async ({ email }: Member) => {
  const { messages } = await mail.listMessages({ to: email });
  return Promise.all(messages.map(({ id }) => mail.getMessage({ id })));
};

/** Quiet hours of a zone in which it is now some hour between `from` and `to`, or outside of them. */
const quietNow = { quietHours: { from: "00:00", to: "23:59" }, timeZone: "UTC" };
const isLastMinute = (): boolean => new Date().toISOString().slice(11, 16) === "23:59";

describe("sending", () => {
  test("reaches each in the app and by mail, with HTML, text, a link and a way to end such mails; the receipts say so", async () => {
    const owner = await found();
    const [ada, bob] = [await joinMember(owner), await joinMember(owner, { verified: false })];
    const id = await sendTo(owner, [ada, bob]);
    await settled(owner, id, ada, DELIVERED);
    await settled(owner, id, bob, ["email withheld no_destination", "in_app delivered", PUSH, SMS]);
    const [message, ...more] = await mailsTo(ada);
    expect(more).toEqual([]);
    expect(message).toMatchObject({ subject: content.title });
    expect(message?.text).toContain("It is due on Friday.\n\nThank you.\n\nhttp://localhost:4000/invoices/7");
    expect(message?.html).toContain("<p>It is due on Friday.</p><p>Thank you.</p>");
    expect(message?.unsubscribeUrl).toMatch(/^http:\/\/localhost:4000\/notifications\/unsubscribe\?token=[\w-]+$/);
    expect(await mailsTo(bob)).toEqual([]);
    const { notifications: shown, unread } = await notifications.list({}, ada);
    expect(shown).toMatchObject([{ id, category: "billing", ...content }]);
    expect(unread).toBe(1);
    expect((await notifications.listReceipts({ id }, owner)).counts).toContainEqual({
      ...{ channel: "in_app", state: "delivered", count: 2 },
    });
  });

  test("is for members: a stranger, somebody of another organisation and what is no id are named, and nobody is notified", async () => {
    const [owner, other] = [await found(), await found()];
    const ada = await joinMember(owner);
    expect(await reason(sendTo(owner, [ada, other]))).toBe("recipient_not_found");
    expect(await reason(notifications.send({ to: ["ada"], category: "a", content }, owner))).toBe("invalid_request");
    expect((await notifications.list({}, ada)).notifications).toEqual([]);
  });

  test.each([
    ["a category in capitals", { category: "Billing" }],
    ["a line break in the title", { content: { ...content, title: "a\nBcc: b" } }],
    ["a link of another scheme", { content: { ...content, url: "javascript:alert(1)" } }],
    ["a link that leaves the app by two slashes", { content: { ...content, url: "//evil.example" } }],
    ["a link that leaves the app by a backslash", { content: { ...content, url: "/\\evil.example" } }],
  ])("refuses %s", async (_, more) => {
    const owner = await found();
    expect(await reason(sendTo(owner, [owner], more))).toBe("invalid_request");
  });

  test("the same key of the same sender is the same notification; another sender's is another", async () => {
    const owner = await found();
    const [admin, ada] = [await joinMember(owner, { role: "admin" }), await joinMember(owner)];
    const first = await sendTo(owner, [ada], { dedupeKey: "invoice-7" });
    expect(await sendTo(owner, [ada], { dedupeKey: "invoice-7" })).toBe(first);
    expect(await sendTo(admin, [ada], { dedupeKey: "invoice-7" })).not.toBe(first);
    await settled(owner, first, ada, DELIVERED);
    await until(async () => expect(await mailsTo(ada)).toHaveLength(2));
  });

  test("deciding again, and sending again after a kill, changes nothing and mails nothing twice", async () => {
    const owner = await found();
    const id = await sendTo(owner, [owner]);
    await settled(owner, id, owner, DELIVERED);
    await decideAbout(owner, id, [owner.id]);
    const { receipts } = await notifications.listReceipts({ id }, owner);
    const delivery = receipts.find(({ channel }) => channel === "email");
    await deliverEmail(owner, delivery!.id);
    // Killed between the mail and the note that it was sent.
    await tenantQuery(owner, `update notifications.delivery set state = 'queued' where tenant_id = $1 and id = $2`, [
      owner.tenantId,
      delivery!.id,
    ]);
    await deliverEmail(owner, delivery!.id);
    expect(await mailsTo(owner)).toHaveLength(1);
    await settled(owner, id, owner, DELIVERED);
  });

  test("receipts are for who sent it and for who manages them all; for others there is none", async () => {
    const owner = await found();
    const [admin, ada, viewer, stranger] = [
      await joinMember(owner, { role: "admin" }),
      await joinMember(owner),
      await joinMember(owner, { role: "viewer" }),
      await found(),
    ];
    const id = await sendTo(admin, [ada]);
    expect(await reason(receiptsOf(owner, id))).toBeUndefined();
    expect(await reason(receiptsOf(stranger, id))).toBe("notification_not_found");
    for (const wrong of [id, "0190a0a0-0000-7000-8000-000000000000", "x"])
      expect(await reason(receiptsOf(ada, wrong))).toBe("notification_not_found");
    expect(await reason(receiptsOf(ada, await sendTo(ada, [owner])))).toBeUndefined();
    expect(await reason(sendTo(viewer, [ada]))).toBe("permission_denied");
  });
});

describe("an inbox", () => {
  test("is read, archived and counted, page by page, and nobody else's", async () => {
    const owner = await found();
    const [ada, bob] = [await joinMember(owner), await joinMember(owner)];
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      ids.push(await sendTo(owner, [ada, bob]));
      await settled(owner, ids[n]!, ada, DELIVERED);
    }
    const first = await notifications.list({ limit: 2 }, ada);
    const rest = await notifications.list({ limit: 2, cursor: first.next! }, ada);
    expect([...first.notifications, ...rest.notifications].map(({ id }) => id)).toEqual(ids.toReversed());
    const read = await notifications.markRead({ id: ids[0]! }, ada);
    expect(read.readAt).toBeDefined();
    expect((await notifications.markRead({ id: ids[0]! }, ada)).readAt).toBe(read.readAt);
    await notifications.archive({ id: ids[1]! }, ada);
    const shelves = async (shelf: "inbox" | "unread" | "archived") =>
      (await notifications.list({ shelf }, ada)).notifications.map(({ id }) => ids.indexOf(id));
    expect([await shelves("inbox"), await shelves("unread"), await shelves("archived")]).toEqual([[2, 0], [2], [1]]);
    expect((await notifications.list({}, ada)).unread).toBe(1);
    expect((await notifications.list({}, bob)).unread).toBe(3);
    expect(await receiptsOf(owner, ids[0]!, ada)).toContain("in_app opened");
    await notifications.markRead({ id: ids[0]!, read: false }, ada);
    await notifications.archive({ id: ids[1]!, archived: false }, ada);
    expect((await notifications.list({}, ada)).unread).toBe(3);
  });

  test("what is another's is as what does not exist", async () => {
    const owner = await found();
    const [ada, bob] = [await joinMember(owner), await joinMember(owner)];
    const id = await sendTo(owner, [ada]);
    await settled(owner, id, ada, DELIVERED);
    const wrong = [id, "0190a0a0-0000-7000-8000-000000000000", "x"];
    for (const one of wrong)
      expect(await reason(notifications.markRead({ id: one }, bob))).toBe("notification_not_found");
    expect(await reason(notifications.archive({ id }, await found()))).toBe("notification_not_found");
  });
});

describe("preferences", () => {
  test("decide; the organisation's hold where a person said nothing, and where it locks them", async () => {
    const owner = await found();
    const [ada, bob] = [await joinMember(owner), await joinMember(owner)];
    await notifications.putPolicy(
      { categories: { billing: { toEmails: false }, security: { locked: true, urgent: true } } },
      owner,
    );
    expect((await audit.listEntries({}, owner)).entries).toMatchObject([
      { action: "notifications.policy.changed", fields: { categories: 2, locked: "security" } },
    ]);
    const own = {
      categories: { billing: { toEmails: true }, security: { enabled: false }, social: { enabled: false } },
    };
    const answered = await notifications.putPreferences(own, ada);
    expect(answered.inForce.categories).toMatchObject({
      billing: { toEmails: true, locked: false },
      security: { enabled: true, locked: true, urgent: true },
      social: { enabled: false },
    });
    expect(await notifications.getPreferences(ada)).toEqual(answered);
    const off = ["email withheld category_off", "in_app withheld category_off"];
    const cases: [string, Member, string[]][] = [
      ["billing", ada, DELIVERED],
      ["billing", bob, ["email withheld channel_off", "in_app delivered", PUSH, SMS]],
      ["security", ada, DELIVERED],
      ["social", ada, [...off, "push withheld category_off", "sms withheld category_off"]],
    ];
    for (const [category, to, expected] of cases)
      await settled(owner, await sendTo(owner, [to], { category }), to, expected);
    // What cannot be switched off says nothing of how.
    const [bySecurity] = (await mailsTo(ada)).filter(({ unsubscribeUrl }) => unsubscribeUrl === undefined);
    expect(bySecurity?.text).not.toContain("unsubscribe");
  });

  test.each([
    ["a zone that there is not", { timeZone: "Mars/Base" }],
    ["an hour that there is not", { quietHours: { from: "24:00", to: "07:00" } }],
    ["a category in capitals", { categories: { Billing: { enabled: false } } }],
    ["a limit below none", { categories: { billing: { dailyLimit: -1 } } }],
    [
      "more than a hundred categories",
      { categories: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`c${n}`, {}])) },
    ],
  ])("refuse %s", async (_, preferences) => {
    const owner = await found();
    expect(await reason(notifications.putPreferences(preferences, owner))).toBe("invalid_request");
  });

  test("an address is used when it is verified and one's own", async () => {
    const [owner, other] = [await found(), await found()];
    const unverified = await joinMember(owner, { verified: false });
    expect(await reason(notifications.putPreferences({ includedEmails: [other.email] }, owner))).toBe(
      "destination_not_verified",
    );
    expect(await reason(notifications.putPreferences({ includedEmails: [unverified.email] }, unverified))).toBe(
      "destination_not_verified",
    );
    expect(await reason(notifications.putPreferences({ includedEmails: [owner.email] }, owner))).toBeUndefined();
  });

  test("the day's limit ends what disturbs, and the app goes on showing", async () => {
    const owner = await found();
    await notifications.putPreferences({ categories: { billing: { dailyLimit: 2 } } }, owner);
    const told: string[][] = [];
    for (let n = 0; n < 3; n++) {
      const id = await sendTo(owner, [owner]);
      await until(async () => expect(await receiptsOf(owner, id)).toHaveLength(4));
      told.push(await receiptsOf(owner, id));
    }
    expect(told[2]).toEqual(["email withheld daily_limit", "in_app delivered", PUSH, SMS].sort());
    await until(async () => expect(await mailsTo(owner)).toHaveLength(2));
    expect((await notifications.list({}, owner)).unread).toBe(3);
  });

  test("quiet hours hold what disturbs until they end; what is preferred then decides", async () => {
    if (isLastMinute()) return;
    const owner = await found();
    await notifications.putPreferences(quietNow, owner);
    const id = await sendTo(owner, [owner]);
    await settled(owner, id, owner, ["email held quiet_hours", "in_app delivered", PUSH, SMS]);
    const [held] = (await notifications.listReceipts({ id }, owner)).receipts.filter(
      ({ channel }) => channel === "email",
    );
    expect(held?.heldUntil).toBe(`${new Date().toISOString().slice(0, 10)}T23:59:00.000Z`);
    const [job] = await tenantQuery<{ payload: object; at: Date }>(
      owner,
      `select payload, next_attempt_at as at from events.outbox where tenant_id = $1 and type = 'notifications:release'`,
      [owner.tenantId],
    );
    expect(job?.payload).toEqual({ notificationId: id, userIds: [owner.id] });
    // Still quiet: held on.
    await decideAbout(owner, id, [owner.id]);
    await settled(owner, id, owner, ["email held quiet_hours", "in_app delivered", PUSH, SMS]);
    await notifications.putPreferences({ quietHours: null }, owner);
    await decideAbout(owner, id, [owner.id]);
    await settled(owner, id, owner, DELIVERED);
    expect(await mailsTo(owner)).toHaveLength(1);
    expect(Math.abs(job!.at.getTime() - Date.parse(held!.heldUntil!))).toBeLessThan(1_000);
  });

  test("an urgent category passes quiet hours", async () => {
    const owner = await found();
    await notifications.putPolicy({ categories: { billing: { urgent: true } } }, owner);
    await notifications.putPreferences({ ...quietNow, categories: { billing: { dailyLimit: 0 } } }, owner);
    await settled(owner, await sendTo(owner, [owner]), owner, DELIVERED);
  });

  test("what somebody switched off after it was decided is not sent any more", async () => {
    const owner = await found();
    const id = await sendTo(owner, [owner]);
    await settled(owner, id, owner, DELIVERED);
    const { receipts } = await notifications.listReceipts({ id }, owner);
    const { id: deliveryId } = receipts.find(({ channel }) => channel === "email")!;
    await tenantQuery(owner, `update notifications.delivery set state = 'queued' where tenant_id = $1 and id = $2`, [
      owner.tenantId,
      deliveryId,
    ]);
    await notifications.putPreferences({ categories: { billing: { toEmails: false } } }, owner);
    await deliverEmail(owner, deliveryId);
    expect(await receiptsOf(owner, id)).toContain("email withheld channel_off");
  });
});

describe("unsubscribing", () => {
  test("a link's token is for one person, organisation and category, and nobody makes one", () => {
    const token = createUnsubscribeToken({
      tenantId: createCaller().tenantId,
      userId: crypto.randomUUID(),
      category: "a",
    });
    expect(readUnsubscribeToken(token)).toMatchObject({ category: "a" });
    const changed = `${token.slice(0, -3)}${token.at(-3) === "A" ? "B" : "A"}${token.slice(-2)}`;
    for (const wrong of [changed, token.slice(0, -1), "", "x".repeat(10_000)])
      expect(readUnsubscribeToken(wrong)).toBeUndefined();
  });
});

describe("a mail", () => {
  test("is text whatever is in it", () => {
    const evil = `<img src=x onerror="alert(1)">&'`;
    const written = notificationMail(
      { title: evil, body: evil, url: `https://x/?"><script>` },
      { organisation: `<b>Acme</b>`, appUrl: "https://app.example/", unsubscribeUrl: undefined, language: "en" },
    );
    expect(written.html).not.toMatch(/<img|<script/);
    expect(written.html).toContain(escapeHtml(evil));
    expect(written.text).toContain(evil);
    // Whose it is stands above whatever they wrote.
    expect(written.text.startsWith("<b>Acme</b> sent you this.")).toBe(true);
    expect(written.html).toContain("<body><p>&lt;b&gt;Acme&lt;/b&gt; sent you this.</p>");
  });
});

describe("what ends", () => {
  const left = async ({ tenantId }: Caller, userId?: string): Promise<number> => {
    const tables = ["notification", "recipient", "delivery", "daily_count", "preference", "policy"];
    const of = userId === undefined ? "" : " and user_id = $2";
    const counted = tables.filter(
      (table) => userId === undefined || ["recipient", "delivery", "preference"].includes(table),
    );
    const all = await Promise.all(
      counted.map((table) =>
        withTenant({ tenantId }, (tx) =>
          tx.query<{ n: number }>(`select count(*)::int as n from notifications.${table} where tenant_id = $1${of}`, [
            tenantId,
            ...(userId === undefined ? [] : [userId]),
          ]),
        ),
      ),
    );
    return all.reduce((sum, [row]) => sum + (row?.n ?? 0), 0);
  };

  async function full(): Promise<{ owner: Member; ada: Member }> {
    const owner = await found();
    const ada = await joinMember(owner);
    await notifications.putPolicy({ timeZone: "Europe/Berlin" }, owner);
    for (const one of [owner, ada]) await notifications.putPreferences({ timeZone: "Asia/Tokyo" }, one);
    const id = await sendTo(owner, [owner, ada]);
    for (const one of [owner, ada]) await settled(owner, id, one, DELIVERED);
    return { owner, ada };
  }

  test("an organisation that is gone leaves nothing, and takes nothing of another along", async () => {
    const [gone, stays] = [await full(), await full()];
    const before = await left(stays.owner);
    expect(await purgeTenant(gone.owner.tenantId)).toBe(true);
    expect([await left(gone.owner), await left(stays.owner)]).toEqual([0, before]);
  });

  test("a member who is removed leaves neither inbox nor addresses nor preferences", async () => {
    const { owner, ada } = await full();
    const before = await left(owner, owner.id);
    expect(await purgeMember(owner.tenantId, ada.id)).toBe(true);
    expect([await left(owner, ada.id), await left(owner, owner.id)]).toEqual([0, before]);
  });

  test("ninety days later all of it is gone, and not a day before", async () => {
    const { owner } = await full();
    const age = async (days: number): Promise<void> => {
      for (const table of ["notification", "recipient", "delivery"])
        await tenantQuery(
          owner,
          `update notifications.${table} set created_at = created_at - $2 * interval '1 day' where tenant_id = $1`,
          [owner.tenantId, days],
        );
    };
    const purge = async (): Promise<void> => {
      await withSystem("purge-notifications", (tx) => deliveryPurge(tx, 90, 1_000));
      await withSystem("purge-notifications", (tx) => recipientPurge(tx, 90, 1_000));
      await withSystem("purge-notifications", (tx) => notificationPurge(tx, 90, 1_000));
    };
    const before = await left(owner);
    await age(89);
    await purge();
    expect(await left(owner)).toBe(before);
    await age(2);
    await purge();
    // Counts of the day, two preferences and the policy.
    expect(await left(owner)).toBe(5);
  });
});
