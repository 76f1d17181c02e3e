// What calls cost and may cost: reserved before, settled after, and never more than a budget.
import { ai } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery, tenantQuery } from "../../../db/tenant";
import { reasonOf } from "../../../security/errors";
import { createCaller, registerCaller, type Caller } from "../../../testing";
import { expire, release } from "../ledger";
import { costOf } from "../prices";
import { expireReservations, purgeTenant } from "../upkeep";
import { booksOf, dieLongAgo, NOW, reserveFor, settleFor, TEN_CENTS } from "./spending";

const reason = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
const limit = (caller: Caller, limitMicroUsd: number, more: object = {}): Promise<unknown> =>
  ai.putBudget({ id: "b", period: "month", limitMicroUsd, ...more }, caller);

describe("a call", () => {
  test("reserves what it may cost and is settled at what it did cost, once", async () => {
    const owner = await registerCaller();
    const reservation = await reserveFor(owner);
    expect(await booksOf(owner)).toEqual({ spent: 0, reserved: 100_000, entries: 0, open: 1 });
    expect(await settleFor(owner, reservation, 7_000)).toBe(true);
    expect(await settleFor(owner, reservation, 7_000)).toBe(false);
    expect(await booksOf(owner)).toEqual({ spent: 7_000, reserved: 0, entries: 7_000, open: 0 });
    const events = await tenantQuery<{ payload: object }>(
      owner.principal,
      `select payload from events.outbox where tenant_id = $1 and type = 'ai.prompt-run.recorded'`,
      [owner.tenantId],
    );
    expect(events).toMatchObject([{ payload: { runId: reservation.id, outcome: "answered", costMicroUsd: 7_000 } }]);
  });

  test("that was never sent costs nothing and leaves no entry", async () => {
    const owner = await registerCaller();
    await release(owner.principal, await reserveFor(owner));
    expect(await booksOf(owner)).toEqual({ spent: 0, reserved: 0, entries: 0, open: 0 });
  });

  test("whose process died counts in full, and nothing stays reserved", async () => {
    const owner = await registerCaller();
    const reservation = await reserveFor(owner);
    await expireReservations();
    expect((await booksOf(owner)).open).toBe(1);
    await dieLongAgo(owner);
    expect(await expireReservations()).toBeGreaterThanOrEqual(1);
    expect(await booksOf(owner)).toEqual({ spent: 100_000, reserved: 0, entries: 100_000, open: 0 });
    // It was not dead, only slow: what counted in full stays.
    expect(await settleFor(owner, reservation, 1)).toBe(false);
    expect(await expire(owner.principal, reservation.id)).toBe(false);
    expect((await booksOf(owner)).spent).toBe(100_000);
  });

  test("that cannot expire keeps none of those behind it reserved", async () => {
    const [broken, owner] = [await registerCaller(), await registerCaller()];
    await reserveFor(broken);
    await dieLongAgo(broken);
    // Its sum holds less than it reserved, so that the sum's own check refuses.
    await systemQuery("test", "update ai.spending set reserved_micro_usd = 0 where tenant_id = $1", [broken.tenantId]);
    await reserveFor(owner);
    await dieLongAgo(owner);
    await expireReservations();
    expect(await booksOf(owner)).toEqual({ spent: 100_000, reserved: 0, entries: 100_000, open: 0 });
    expect((await booksOf(broken)).open).toBe(1);
    await systemQuery("test", "delete from ai.reservation where tenant_id = $1", [broken.tenantId]);
  });

  test("costs whole micro-dollars, rounded up", () => {
    expect(costOf({ input: 150_000, output: 600_000 }, 1, 0)).toBe(1);
    expect(costOf({ input: 150_000, output: 600_000 }, 1_000_000, 1_000_000)).toBe(750_000);
    expect(costOf({ input: 0, output: 0 }, 1_000, 1_000)).toBe(0);
  });
});

describe("a budget", () => {
  test("refuses the call that may go beyond it, and says when the next period begins", async () => {
    const owner = await registerCaller();
    await limit(owner, 250_000);
    await reserveFor(owner);
    await reserveFor(owner);
    const failure = await reserveFor(owner).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      details: { reason: "budget_exhausted", budget: "b", retryAfterSeconds: 1.5 * 86_400 },
    });
    expect(await booksOf(owner)).toMatchObject({ reserved: 200_000, open: 2 });
  });

  test("that is soft lets the call through and is named", async () => {
    const owner = await registerCaller();
    await limit(owner, 150_000, { enforcement: "soft" });
    expect((await reserveFor(owner)).overBudgets).toEqual([]);
    expect((await reserveFor(owner)).overBudgets).toEqual(["b"]);
  });

  test("that is set later knows what was spent before", async () => {
    const owner = await registerCaller();
    await settleFor(owner, await reserveFor(owner), 40_000);
    await limit(owner, 100_000);
    expect(await reason(reserveFor(owner))).toBe("budget_exhausted");
    await limit(owner, 140_000);
    expect(await reason(reserveFor(owner))).toBeUndefined();
  });

  test("of one user, or of each, is theirs alone", async () => {
    const owner = await registerCaller();
    const [one, other] = [createCaller("member", owner), createCaller("member", owner)];
    await limit(owner, 100_000, { of: { kind: "user" } });
    await ai.putBudget(
      { id: "one", period: "day", limitMicroUsd: 0, of: { kind: "user", id: one.principal.subjectId } },
      owner,
    );
    expect(await reason(reserveFor(one))).toBe("budget_exhausted");
    expect(await reason(reserveFor(other))).toBeUndefined();
    expect(await reason(reserveFor(other))).toBe("budget_exhausted");
    expect(await reason(reserveFor(owner))).toBeUndefined();
  });

  test("begins anew with its period", async () => {
    const owner = await registerCaller();
    await limit(owner, 100_000, { period: "day" });
    await reserveFor(owner);
    expect(await reason(reserveFor(owner))).toBe("budget_exhausted");
    expect(await reason(reserveFor(owner, TEN_CENTS, new Date("2026-11-30T00:00:00Z")))).toBeUndefined();
  });

  test("of the installation bounds what its own keys cost, whatever the organisation set", async () => {
    const owner = await registerCaller();
    const byInstallation = { ...TEN_CENTS, keyOf: "installation" } as const;
    await reserveFor(owner, byInstallation, NOW, 150_000);
    expect(await reason(reserveFor(owner, byInstallation, NOW, 150_000))).toBe("budget_exhausted");
    expect(await reason(reserveFor(owner, TEN_CENTS, NOW, 150_000))).toBeUndefined();
  });

  test("is another organisation's for nobody", async () => {
    const [owner, stranger] = [await registerCaller(), await registerCaller()];
    await limit(owner, 0);
    expect(await reason(reserveFor(stranger))).toBeUndefined();
    expect(await reason(ai.removeBudget({ id: "b" }, stranger))).toBe("budget_not_found");
    expect((await ai.getBudgets(stranger)).budgets).toEqual([]);
    expect((await ai.getBudgets(owner)).budgets).toEqual([
      { id: "b", of: { kind: "organisation" }, period: "month", limitMicroUsd: 0, enforcement: "hard" },
    ]);
    await ai.removeBudget({ id: "b" }, owner);
    expect(await reason(reserveFor(owner))).toBeUndefined();
  });

  test.each([
    ["a name with a blank", { id: "a b" }],
    ["half a micro-dollar", { limitMicroUsd: 0.5 }],
    ["an id of the organisation", { of: { kind: "organisation", id: "x" } }],
    ["a user that is no UUID", { of: { kind: "user", id: "x" } }],
  ] as const)("is not set with %s", async (_what, wrong) => {
    const budget = { id: "b", period: "day", limitMicroUsd: 1, ...wrong } as const;
    expect(await reason(ai.putBudget(budget, createCaller("owner")))).toBe("invalid_request");
  });
});

describe("GET /ai/usage", () => {
  test("shows what was spent and by whom, of the caller's organisation", async () => {
    const owner = await registerCaller();
    const member = createCaller("member", owner);
    const today = new Date();
    await settleFor(owner, await reserveFor(owner, TEN_CENTS, today), 3_000);
    await settleFor(member, await reserveFor(member, TEN_CENTS, today), 5_000);
    await reserveFor(member, TEN_CENTS, today);
    const { day, month } = await ai.getUsage(owner);
    expect(day).toMatchObject({ spentMicroUsd: 8_000, reservedMicroUsd: 100_000, calls: 2, inputTokens: 8_000 });
    expect(month.by).toMatchObject([
      { of: `user:${member.principal.subjectId}`, spentMicroUsd: 5_000, reservedMicroUsd: 100_000 },
      { of: `user:${owner.principal.subjectId}`, spentMicroUsd: 3_000, calls: 1 },
    ]);
    expect((await ai.getUsage(createCaller("owner"))).month).toMatchObject({ spentMicroUsd: 0, by: [] });
  });

  test("an organisation that is gone leaves nothing", async () => {
    const owner = await registerCaller();
    await limit(owner, 1_000_000);
    await settleFor(owner, await reserveFor(owner), 1);
    await reserveFor(owner);
    expect(await purgeTenant(owner.tenantId)).toBe(true);
    expect(await booksOf(owner)).toEqual({ spent: 0, reserved: 0, entries: 0, open: 0 });
    expect((await ai.getBudgets(owner)).budgets).toEqual([]);
  });
});
