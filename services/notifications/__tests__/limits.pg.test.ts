// Daily limits while several replicas decide about the same people at once: the embedded database has one session, so nothing races there.
import { notifications } from "~encore/clients";
import { expect, test } from "vitest";
import { tenantQuery } from "../../../db/tenant";
import { concurrent } from "../../../testing";
import { decideAbout } from "../fan-out";
import { found, joinMember, sendTo } from "./people";

test("a day's limit is exact, however many decide at once", async () => {
  const owner = await found();
  const people = await Promise.all(Array.from({ length: 5 }, () => joinMember(owner)));
  for (const one of people) await notifications.putPreferences({ categories: { billing: { dailyLimit: 7 } } }, one);
  const ids: string[] = [];
  for (let n = 0; n < 30; n++) ids.push(await sendTo(owner, people));
  const userIds = people.map(({ id }) => id);
  // Three at each notification, as three replicas would, and in different orders.
  const ended = await concurrent(90, (at) =>
    decideAbout(owner, ids[at % 30]!, at % 2 === 0 ? userIds : userIds.toReversed()),
  );
  expect(ended.filter(({ status }) => status === "rejected")).toEqual([]);
  const told = await tenantQuery<{ userId: string; state: string; count: number }>(
    owner,
    `select user_id as "userId", coalesce(reason, state) as state, count(*)::int as count from notifications.delivery
      where tenant_id = $1 and channel = 'email' group by 1, 2 order by 1, 2`,
    [owner.tenantId],
  );
  expect(told).toEqual(
    userIds.toSorted().flatMap((userId) => [
      { userId, state: "daily_limit", count: 23 },
      { userId, state: "queued", count: 7 },
    ]),
  );
});
