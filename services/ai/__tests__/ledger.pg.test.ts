// A thousand calls at once on one dollar, while connections are killed and processes die: the embedded database has one
// session, so nothing races there. Deterministic in what must hold, not in who wins.
import { ai } from "~encore/clients";
import { beforeAll, describe, expect, test } from "vitest";
import pg from "pg";
import { AppDB } from "../../../database";
import { reasonOf } from "../../../security/errors";
import { concurrent, registerCaller, type Caller } from "../../../testing";
import { expireReservations } from "../upkeep";
import { booksOf, dieLongAgo, reserveFor, settleFor, TEN_CENTS } from "./spending";

const CALLS = 1_000;
const DOLLAR = 1_000_000;

/** A cent at most. */
const CENT = { ...TEN_CENTS, worst: { inputTokens: 5_000, outputTokens: 5_000 } };

async function onOneDollar(): Promise<Caller> {
  const owner = await registerCaller();
  await ai.putBudget({ id: "dollar", period: "month", limitMicroUsd: DOLLAR }, owner);
  return owner;
}

/** Asks again and again, by a connection of its own, until it is stopped. Resolves with the greatest answer. */
function keepAsking(sql: string, params: readonly unknown[] = []): { stop(): Promise<number> } {
  let most = 0;
  let goesOn = true;
  const looking = (async () => {
    const client = new pg.Client({ connectionString: AppDB.connectionString, application_name: "watch" });
    await client.connect();
    while (goesOn) {
      const { rows } = await client.query<{ n: string }>(sql, [...params]);
      most = Math.max(most, Number(rows[0]?.n ?? 0));
    }
    await client.end();
  })();
  return {
    stop: async () => {
      goesOn = false;
      await looking;
      return most;
    },
  };
}

/** Looks all the while how far the books have come. */
const watch = (owner: Caller): ReturnType<typeof keepAsking> =>
  keepAsking(
    `select spent_micro_usd + reserved_micro_usd as n from ai.spending where tenant_id = $1 and subject = 'organisation' and period = 'month'`,
    [owner.tenantId],
  );

describe(`${CALLS} calls at once on a dollar`, () => {
  let warmed: Caller;
  beforeAll(async () => {
    warmed = await onOneDollar();
  });

  test("spend at most the dollar, and all of it where each costs what it reserved", async () => {
    const watched = watch(warmed);
    const outcomes = await concurrent(CALLS, async () => {
      const reservation = await reserveFor(warmed, CENT);
      await settleFor(warmed, reservation, 10_000);
    });
    expect(await watched.stop()).toBeLessThanOrEqual(DOLLAR);
    const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [reasonOf(outcome.reason)] : []));
    expect(new Set(refused)).toEqual(new Set(["budget_exhausted"]));
    expect(outcomes.length - refused.length).toBe(100);
    expect(await booksOf(warmed)).toEqual({ spent: DOLLAR, reserved: 0, entries: DOLLAR, open: 0 });
  });

  test("spend no more when a third die before they settle and connections are killed; nothing stays stuck", async () => {
    const owner = await onOneDollar();
    const watched = watch(owner);
    let killing: ReturnType<typeof keepAsking> | undefined;
    let made = 0;
    const outcomes = await concurrent(CALLS, async (index) => {
      // Not while the connections are opened that the calls are made on.
      killing ??= keepAsking(
        `select count(pg_terminate_backend(pid)) as n from (
           select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
              and state in ('active', 'idle in transaction') and application_name <> 'watch' order by random() limit 1) victims, pg_sleep(0.02)`,
      );
      // One whose connection is killed may be reserved all the same, as one whose process dies.
      const reservation = await reserveFor(owner, CENT);
      made++;
      if (index % 3 === 0) return;
      // A settlement that fails is what a dead process leaves: its reservation stays.
      await settleFor(owner, reservation, 2_000).catch(() => undefined);
    });
    const killed = (await killing?.stop()) ?? 0;
    const most = await watched.stop();
    process.stdout.write(
      `ledger: ${made} of ${outcomes.length} calls let in, connections killed: ${killed > 0}, ${most} µ$ at most\n`,
    );
    expect(killed).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(DOLLAR);
    const before = await booksOf(owner);
    expect(before.reserved).toBe(before.open * 10_000);
    expect(before.open).toBeGreaterThan(0);
    await dieLongAgo(owner);
    await expireReservations();
    const after = await booksOf(owner);
    expect(after).toMatchObject({ reserved: 0, open: 0 });
    expect(after.spent).toBe(after.entries);
    expect(after.spent).toBeLessThanOrEqual(DOLLAR);
    // What is left of the dollar can be spent.
    const left = Math.floor((DOLLAR - after.spent) / 10_000);
    const more = await concurrent(left + 5, () => reserveFor(owner, CENT));
    expect(more.filter(({ status }) => status === "fulfilled")).toHaveLength(left);
  });
});
