// Gathering while others close: the embedded database has one session, so nothing races there.
import { mail, notifications } from "~encore/clients";
import { expect, test } from "vitest";
import { tenantQuery } from "../../../db/tenant";
import { concurrent } from "../../../testing";
import { deliverDigest, type DigestOf } from "../deliver-digest";
import { decideAbout } from "../fan-out";
import { found, sendTo } from "./people";

const SENT = 40;

test("each notification is in exactly one mail, however often what is gathered is closed meanwhile", async () => {
  const owner = await found();
  await notifications.putPreferences({ categories: { billing: { digestMinutes: 60 } } }, owner);
  const ids: string[] = [];
  for (let n = 0; n < SENT; n++) {
    const content = { title: `No. ${n}`, body: `<${n}>` };
    ids.push(await sendTo(owner, [owner], { content }));
  }
  const closeAll = async (): Promise<void> => {
    const rows = await tenantQuery<DigestOf>(
      owner,
      `select id as "digestId", user_id as "userId", category, destination from notifications.digest where tenant_id = $1`,
      [owner.tenantId],
    );
    // Two replicas take the same one.
    for (const digest of rows) await Promise.all([deliverDigest(owner, digest), deliverDigest(owner, digest)]);
  };
  let isOver = false;
  // Two replicas that close whatever is open, again and again.
  const closing = [1, 2].map(async () => {
    while (!isOver) await closeAll();
  });
  for (let from = 0; from < SENT; from += 8) {
    const ended = await concurrent(8, (at) => decideAbout(owner, ids[from + at]!, [owner.id]));
    expect(ended.filter(({ status }) => status === "rejected")).toEqual([]);
  }
  isOver = true;
  await Promise.all(closing);
  await closeAll();
  const states = await tenantQuery<{ state: string; count: number }>(
    owner,
    `select state, count(*)::int as count from notifications.delivery where tenant_id = $1 and channel = 'email' group by state`,
    [owner.tenantId],
  );
  expect(states).toEqual([{ state: "sent", count: SENT }]);
  const { messages } = await mail.listMessages({ to: owner.email, limit: 100 });
  const texts = messages.map(({ text }) => text).join("\n");
  for (let n = 0; n < SENT; n++) expect(texts.split(`<${n}>`), `No. ${n}`).toHaveLength(2);
  expect(messages.length).toBeGreaterThan(1);
});
