// Relays racing each other, and connections dying under them: needs real concurrency, so native Postgres only.
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { appPool } from "../../db/pool";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { randomFrom } from "../../security/__tests__/random";
import { registerDestination } from "../destinations";
import { appendToOutbox } from "../outbox";
import { createRelay, type Relay } from "../relay";

const seed = Math.floor(Math.random() * 2 ** 31);
const random = randomFrom(seed);
const tenantId = tenantIdFrom(newId());

let deliveries: { aggregate: string; n: number; id: string }[] = [];
/** Files may share a database: nobody else has this destination. */
const destination = `race-${newId()}`;
registerDestination(destination, {
  batchSize: 1,
  publish: async ([row]) => {
    await new Promise((resolve) => setTimeout(resolve, random() * 2));
    if (row) deliveries.push({ aggregate: row.aggregateId, n: (row.payload as { n: number }).n, id: row.id });
  },
});

/** Writes `perAggregate` rows to each aggregate, one transaction a row, the rows of an aggregate in order. */
async function write(aggregates: number, perAggregate: number): Promise<void> {
  await Promise.all(
    Array.from({ length: aggregates }, async (_, a) => {
      for (let n = 1; n <= perAggregate; n++) await append(`aggregate-${a}`, n);
    }),
  );
}

async function append(aggregateId: string, n: number): Promise<void> {
  const id = newId();
  for (;;) {
    try {
      await withTenant({ tenantId }, (tx) =>
        appendToOutbox(tx, {
          id,
          destination,
          tenantId,
          aggregateType: "race",
          aggregateId,
          type: "t",
          version: 1,
          payload: { n },
          headers: {},
        }),
      );
      return;
    } catch {
      // The connection was killed; the id makes trying again harmless.
    }
  }
}

function relays(count: number): Relay[] {
  return Array.from({ length: count }, () =>
    createRelay({
      destinations: [destination],
      batch: 20,
      pollMs: 5,
      leaseMs: 1_000,
      backoff: { firstMs: 5, maxMs: 20 },
      random,
    }),
  );
}

async function allPublished(): Promise<boolean> {
  const open = await systemQuery(
    "test",
    "select 1 from events.outbox where published_at is null and destination = $1 limit 1",
    [destination],
  ).catch(() => [0]);
  return open.length === 0;
}

function firstDeliveriesOf(aggregate: string): number[] {
  return [...new Set(deliveries.filter((delivery) => delivery.aggregate === aggregate).map(({ n }) => n))];
}

describe(`relays (seed ${seed})`, () => {
  it("publish every row exactly once and in order when three of them race and nothing fails", async () => {
    deliveries = [];
    const running = relays(3);
    for (const relay of running) relay.start();
    await write(20, 25);
    await expect.poll(allPublished).toBe(true);
    await Promise.all(running.map((relay) => relay.stop()));
    expect(deliveries.length).toBe(500);
    for (let a = 0; a < 20; a++)
      expect(firstDeliveriesOf(`aggregate-${a}`)).toEqual(Array.from({ length: 25 }, (_, n) => n + 1));
  });

  it("lose nothing and keep the order when their connections are killed at random moments", async () => {
    deliveries = [];
    const running = relays(2);
    for (const relay of running) relay.start();
    const killer = killConnections(40);
    await write(10, 20);
    await killer;
    await expect.poll(allPublished).toBe(true);
    await Promise.all(running.map((relay) => relay.stop()));
    for (let a = 0; a < 10; a++)
      expect(firstDeliveriesOf(`aggregate-${a}`)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });
});

/** Ends random backends of this database, ours among them. */
async function killConnections(times: number): Promise<void> {
  for (let kill = 0; kill < times; kill++) {
    await new Promise((resolve) => setTimeout(resolve, random() * 30));
    await appPool()
      .query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by random() limit 2",
      )
      .catch(() => undefined);
  }
}
