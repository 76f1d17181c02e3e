// What those may send who do not manage notifications.
import { notifications } from "~encore/clients";
import { expect, test } from "vitest";
import { cfg } from "../../../config";
import { limits } from "../../../security/limits";
import { pairOf } from "../allowance";
import { found, joinMember, reason, sendTo } from "./people";

test("a category that passes what people prefer is for who manages notifications", async () => {
  const owner = await found();
  const [ada, bob] = [await joinMember(owner), await joinMember(owner)];
  await notifications.putPolicy(
    { categories: { security: { locked: true }, alarm: { urgent: true }, news: {} } },
    owner,
  );
  for (const category of ["security", "alarm"]) {
    expect(await reason(sendTo(ada, [bob], { category }))).toBe("category_reserved");
    expect(await reason(sendTo(owner, [bob], { category }))).toBeUndefined();
  }
  expect(await reason(sendTo(ada, [bob], { category: "news" }))).toBeUndefined();
});

test("one sender disturbs one person 120 times an hour, and others go on being reached", async () => {
  const owner = await found();
  const [ada, bob, carol] = [await joinMember(owner), await joinMember(owner), await joinMember(owner)];
  await limits.consume("notification", "account", pairOf(ada.principal, bob.id), 120 * cfg.limits.scale - 1);
  expect(await reason(sendTo(ada, [bob]))).toBeUndefined();
  expect(await reason(sendTo(ada, [carol, bob]))).toBe("rate_limited");
  expect(await reason(sendTo(ada, [carol]))).toBeUndefined();
  expect(await reason(sendTo(carol, [bob]))).toBeUndefined();
  expect(await reason(sendTo(owner, [bob]))).toBeUndefined();
});
