// Who left, and whose organisation is on its way out: what their old mails' links do, and that nobody disturbs them.
import { notifications } from "~encore/clients";
import { expect, test, vi } from "vitest";
import { systemQuery, tenantQuery } from "../../../db/tenant";
import { runRelayAndWorkers } from "../../../testing";
import "../jobs";
import { endMails } from "../preferences";
import { found, joinMember, reason, receiptsOf, sendTo, type Member } from "./people";

runRelayAndWorkers();

const preferencesOf = async ({ tenantId, id }: Member): Promise<number> => {
  const sql = "select 1 from notifications.preference where tenant_id = $1 and user_id = $2";
  return (await tenantQuery({ tenantId }, sql, [tenantId, id])).length;
};

const close = ({ tenantId }: Member): Promise<unknown> =>
  systemQuery("test", "update auth.organisation set purge_at = now() + interval '30 days' where id = $1", [tenantId]);

test("an old mail's link writes nothing of who is no member any more; of a member it ends such mails", async () => {
  const owner = await found();
  const [ada, bob] = [await joinMember(owner), await joinMember(owner)];
  await systemQuery("test", "delete from auth.membership where account_id = $1", [ada.id]);
  for (const one of [ada, bob]) await endMails(owner, one.id, "news");
  expect([await preferencesOf(ada), await preferencesOf(bob)]).toEqual([0, 1]);
});

test("links end a hundred categories, and no more than preferences can name", async () => {
  const owner = await found();
  const categories = Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`c${n}`, { toEmails: false }]));
  await notifications.putPreferences({ categories }, owner);
  await endMails(owner, owner.id, "last");
  expect(await reason(endMails(owner, owner.id, "beyond"))).toBe("too_many_categories");
  await endMails(owner, owner.id, "c7");
  expect(Object.keys((await notifications.getPreferences(owner)).categories)).toHaveLength(100);
});

test("an organisation on its way out disturbs nobody, and its people may end mails for when it is restored", async () => {
  const owner = await found();
  await close(owner);
  const id = await sendTo(owner, [owner]);
  await vi.waitFor(async () => expect(await receiptsOf(owner, id)).toContain("email withheld no_destination"), {
    timeout: 30_000,
  });
  await endMails(owner, owner.id, "news");
  expect(await preferencesOf(owner)).toBe(1);
});
