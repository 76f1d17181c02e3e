// What a claim counts of those before it: a row that its holder never spoke of may have ended it, and says so when it comes again.
import { expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withSystem } from "../../db/tenant";
import { appendToOutbox } from "../outbox";
import { outboxClaim, outboxSettle, type OutboxRow } from "../store/outbox";

const LEASE_MS = 60_000;

async function append(destination: string, aggregateId: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, newId);
  const about = { destination, tenantId: null, aggregateType: "thing", aggregateId, type: "t", version: 1 };
  await withSystem("test", async (tx) => {
    for (const id of ids) await appendToOutbox(tx, { ...about, id, payload: {}, headers: {} });
  });
  return ids;
}

/** As if the time of all leases of the destination were up. */
const endLeases = (destination: string): Promise<unknown> =>
  systemQuery("test", "update events.outbox_aggregate set leased_until = now() where destination = $1", [destination]);

const claim = (destination: string, limit = 10, depth = 1, leaseId = newId()): Promise<OutboxRow[]> =>
  outboxClaim(destination, { limit, depth }, leaseId, LEASE_MS, []);

const tries = (rows: readonly OutboxRow[]): number[] => rows.map(({ attempts }) => attempts);

const stored = async (destination: string): Promise<number[]> => {
  const rows = await systemQuery<{ attempts: number }>(
    "test",
    "select attempts from events.outbox where destination = $1 order by position",
    [destination],
  );
  return rows.map(({ attempts }) => attempts);
};

it("a row comes with the number of its try, and again with the next one when its holder was never heard of", async () => {
  const destination = `lost-${newId()}`;
  await append(destination, "a", 2);
  for (const expected of [1, 2, 3]) {
    expect(tries(await claim(destination))).toEqual([expected, expected]);
    await endLeases(destination);
  }
});

it("what its holder did not have, and what nobody tried, counts no try", async () => {
  const destination = `lost-${newId()}`;
  const [first = "", second = ""] = await append(destination, "a", 5);
  const leaseId = newId();
  const rows = await claim(destination, 2, 1, leaseId);
  expect(tries(rows)).toEqual([1, 1]);
  const keys = rows.map(({ aggregateKey }) => aggregateKey);
  await outboxSettle(leaseId, { keys, published: [first], failed: [], dead: [], released: [second] });
  expect(await stored(destination)).toEqual([1, 0, 0, 0, 0]);
  // Two of the four that are left are held, and lost.
  expect(tries(await claim(destination, 2))).toEqual([1, 1]);
  await endLeases(destination);
  expect(tries(await claim(destination, 10))).toEqual([2, 2, 1, 1]);
});

it("a failure counts one try, and no second one when the row comes again", async () => {
  const destination = `lost-${newId()}`;
  const [first = ""] = await append(destination, "a", 1);
  const leaseId = newId();
  const [row] = await claim(destination, 10, 1, leaseId);
  const failed = [{ id: first, retryInMs: 0, isRefused: false, error: "no" }];
  await outboxSettle(leaseId, { keys: [row?.aggregateKey ?? ""], published: [], failed, dead: [], released: [] });
  expect(await stored(destination)).toEqual([1]);
  expect(tries(await claim(destination))).toEqual([2]);
});

it("of a backlog several rows of each aggregate come along, and each is counted when they are lost", async () => {
  const destination = `lost-${newId()}`;
  for (const aggregate of ["a", "b", "c"]) await append(destination, aggregate, 6);
  const rows = await claim(destination, 2, 3);
  expect(rows.length).toBe(6);
  expect(new Set(rows.map(({ aggregateKey }) => aggregateKey)).size).toBe(2);
  await endLeases(destination);
  const again = await claim(destination, 3, 6);
  expect(tries(again).sort()).toEqual([...Array.from({ length: 12 }, () => 1), ...Array.from({ length: 6 }, () => 2)]);
});

it("a version from before claims as before", async () => {
  const destination = `lost-${newId()}`;
  await append(destination, "a", 3);
  const rows = await systemQuery<{ attempts: number }>(
    "test",
    "select * from events.outbox_claim($1, 2, $2, 60000, '{}'::uuid[])",
    [destination, newId()],
  );
  expect(rows.map(({ attempts }) => attempts)).toEqual([1, 1]);
});
