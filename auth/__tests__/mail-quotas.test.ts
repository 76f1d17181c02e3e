// The attacks: strangers with accounts that cost nothing flood a mailbox, or use up what others need to reach its owner.
import { auth } from "~encore/clients";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { Limits, limits } from "../../security/limits";
import { register, type Registered } from "../registration";
import { as } from "./callers";
import { deliverMails, mailedToken } from "./mails";
import { count, newcomer, reason } from "./people";

// As many as an app has: the tests' own are a thousand times as large.
beforeEach(() => {
  const real = new Limits({ scale: 1 });
  const of = limits.consume.bind(limits);
  vi.spyOn(limits, "consume").mockImplementation((policy, ...rest) =>
    policy === "mail" ? real.consume(policy, ...rest) : of(policy, ...rest),
  );
});
afterEach(() => vi.restoreAllMocks());

const person = (): Promise<Registered> => register(newcomer(), new Date());
const people = (many: number): Promise<Registered[]> => Promise.all(Array.from({ length: many }, person));
const invite = async (by: Registered, email: string): Promise<string | undefined> =>
  reason(auth.inviteMember({ email, role: "viewer" }, await as(by)));
/** Invites as often as it is let. */
async function flood(by: readonly Registered[], email: string): Promise<number> {
  let mails = 0;
  for (const one of by) for (let n = 0; n < 6; n++) if ((await invite(one, email)) === undefined) mails++;
  return mails;
}
/** Of people who confirmed their address, and whose organisation has been there for so many days. */
async function since(days: number): Promise<Registered> {
  const ada = await person();
  await systemQuery("test", "update auth.account set email_verified_at = now() where id = $1", [ada.user.id]);
  const sql = "update auth.organisation set created_at = now() - make_interval(days => $2) where id = $1";
  await systemQuery("test", sql, [ada.organisation.id, days]);
  return ada;
}

test("six strangers who register keep nobody from inviting, who registered the same day neither", async () => {
  const { email } = newcomer();
  const [owner, ...strangers] = await people(7);
  expect(await flood(strangers, email)).toBe(12);
  expect(await invite(owner as Registered, email)).toBeUndefined();
});

test("strangers however many do not flood a mailbox, nor use up the shares of who was there before them", async () => {
  const { email } = newcomer();
  expect(await flood(await people(12), email)).toBe(15);
  expect(await invite(await person(), email)).toBe("rate_limited");
  // An address nobody confirmed is a newcomer's, however old.
  const unconfirmed = await since(400);
  await systemQuery("test", "update auth.account set email_verified_at = null where id = $1", [unconfirmed.user.id]);
  expect(await invite(unconfirmed, email)).toBe("rate_limited");
  // Nor does it help to ask as an account that wants this address.
  expect(await reason(auth.changeEmail({ email }, await as(await person())))).toBe("rate_limited");
  expect(await flood(await Promise.all(Array.from({ length: 7 }, () => since(2))), email)).toBe(10);
  expect(await flood(await Promise.all(Array.from({ length: 7 }, () => since(31))), email)).toBe(10);
  await deliverMails();
  const mails = await count(`mail.message where recipient = '${email}'`);
  expect(mails).toBeGreaterThan(15);
  expect(mails).toBeLessThanOrEqual(35);
});

test("one account asks as one, of however many organisations", async () => {
  const { email } = newcomer();
  const ada = await since(31);
  expect(await flood([ada], email)).toBe(2);
  for (let n = 0; n < 5; n++) {
    const { id } = await auth.createOrganisation({ name: `Another ${n}` }, await as(ada));
    await systemQuery("test", "update auth.organisation set created_at = now() - interval '31 days' where id = $1", [
      id,
    ]);
    const there = await auth.switchTo({ organisationId: id }, await as(ada));
    expect(await reason(auth.inviteMember({ email, role: "viewer" }, await as(there)))).toBe("rate_limited");
  }
  expect(await flood(await Promise.all([since(31), since(31)]), email)).toBe(4);
});

test("an organisation of yesterday invites although newcomers have used up theirs, one of last month although those of yesterday have", async () => {
  const { email } = newcomer();
  await flood(await people(9), email);
  const [first, ...others] = await Promise.all(Array.from({ length: 6 }, () => since(2)));
  expect(await invite(first as Registered, email)).toBeUndefined();
  await flood(others, email);
  expect(await invite(await since(2), email)).toBe("rate_limited");
  const last = await since(31);
  expect([await invite(last, email), await invite(last, email), await invite(last, email)]).toEqual([
    undefined,
    undefined,
    "rate_limited",
  ]);
});

test("an organisation invites to its own verified domain whatever others have used up, and its members share its quota", async () => {
  const { email: local } = newcomer();
  const domain = `${crypto.randomUUID().slice(0, 8)}.example`;
  const email = local.replace("example.com", domain);
  const [owner, colleague] = await people(2);
  if (owner === undefined || colleague === undefined) throw new Error("nobody registered");
  await flood(await people(9), email);
  await flood(await Promise.all(Array.from({ length: 6 }, () => since(2))), email);
  await flood(await Promise.all(Array.from({ length: 6 }, () => since(31))), email);
  const claim = `insert into auth.domain (id, tenant_id, name, token, verified_at)
                 values (gen_random_uuid(), $1, $2, repeat('t', 43), $3)`;
  await systemQuery("test", claim, [owner.organisation.id, domain, null]);
  expect(await invite(owner, email)).toBe("rate_limited");
  await systemQuery("test", "update auth.domain set verified_at = now() where name = $1", [domain]);
  const other = email.replace("person", "other");
  expect(await flood([owner], other)).toBe(5);
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'admin')", [
    owner.organisation.id,
    colleague.user.id,
  ]);
  const there = await auth.switchTo({ organisationId: owner.organisation.id }, await as(colleague));
  expect(await reason(auth.inviteMember({ email: other, role: "viewer" }, await as(there)))).toBe("rate_limited");
});

test("what strangers ask for keeps nothing from the address's own account, nor what anybody asks for from who invites", async () => {
  const ada = await person();
  const { email } = ada.user;
  await mailedToken(email);
  for (let n = 0; n < 5; n++) await auth.forgotPassword({ email });
  expect(await reason(auth.forgotPassword({ email }))).toBe("rate_limited");
  await flood(await people(9), email);
  expect(await invite(await since(2), email)).toBeUndefined();
  for (let n = 0; n < 5; n++) expect(await reason(auth.sendVerificationMail(await as(ada)))).toBeUndefined();
  expect(await reason(auth.sendVerificationMail(await as(ada)))).toBe("rate_limited");
});
