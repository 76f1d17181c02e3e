import { beforeEach, describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { registerDestination } from "../destinations";
import { appendToOutbox } from "../outbox";
import { createRelay, type RelayOptions } from "../relay";
import { onRelaySignal } from "../signal";
import { outboxPurge } from "../store/outbox";

interface Delivery {
  aggregate: string;
  n: number;
}

const tenantId: TenantId = tenantIdFrom(newId());
let delivered: Delivery[] = [];
let refuse: (delivery: Delivery) => boolean = () => false;

registerDestination("test", {
  batchSize: 1,
  publish: async ([row]) => {
    const delivery = { aggregate: row?.aggregateId ?? "", n: (row?.payload as { n: number }).n };
    if (refuse(delivery)) throw new Error(`refused ${delivery.n}`);
    delivered.push(delivery);
  },
});

async function append(aggregate: string, ...numbers: number[]): Promise<string[]> {
  return withTenant({ tenantId }, async (tx) => {
    const ids: string[] = [];
    for (const n of numbers) {
      ids.push(
        await appendToOutbox(tx, {
          id: newId(),
          destination: "test",
          tenantId,
          aggregateType: "thing",
          aggregateId: aggregate,
          type: "test.thing.changed",
          version: 1,
          payload: { n },
          headers: {},
        }),
      );
    }
    return ids;
  });
}

function relay(options: RelayOptions = {}) {
  return createRelay({
    batch: 10,
    pollMs: 20,
    leaseMs: 5_000,
    backoff: { firstMs: 0, maxMs: 0 },
    random: () => 0,
    ...options,
  });
}

async function rowOf(id: string) {
  const [row] = await systemQuery<{ status: string; attempts: number; last_error: string | null }>(
    "test",
    "select status, attempts, last_error from events.outbox where id = $1",
    [id],
  );
  return row;
}

beforeEach(async () => {
  delivered = [];
  refuse = () => false;
  await withSystem("test", (tx) =>
    tx.execute("update events.outbox set published_at = now() where published_at is null"),
  );
});

describe("the outbox", () => {
  it("holds an event if and only if its transaction committed", async () => {
    await withTenant({ tenantId }, async (tx) => {
      await appendToOutbox(tx, {
        id: newId(),
        destination: "test",
        tenantId,
        aggregateType: "thing",
        aggregateId: "gone",
        type: "t",
        version: 1,
        payload: {},
        headers: {},
      });
      throw new Error("no");
    }).catch(() => undefined);
    await append("kept", 1);
    expect(await systemQuery("test", "select aggregate_id from events.outbox where published_at is null")).toEqual([
      { aggregate_id: "kept" },
    ]);
  });

  it("takes the same id once", async () => {
    const id = newId();
    for (const n of [1, 2]) {
      await withTenant({ tenantId }, (tx) =>
        appendToOutbox(tx, {
          id,
          destination: "test",
          tenantId,
          aggregateType: "thing",
          aggregateId: "a",
          type: "t",
          version: 1,
          payload: { n },
          headers: {},
        }),
      );
    }
    await relay().runOnce();
    expect(delivered).toEqual([{ aggregate: "a", n: 1 }]);
  });

  it("is append-only: no rewriting, no deleting, published_at set once", async () => {
    const [id] = await append("a", 1);
    const refused = { kind: "restrict_violation" };
    await expect(
      systemQuery("test", "update events.outbox set payload = '{}' where id = $1", [id]),
    ).rejects.toMatchObject(refused);
    await expect(systemQuery("test", "delete from events.outbox where id = $1", [id])).rejects.toMatchObject(refused);
    await relay().runOnce();
    await expect(
      systemQuery("test", "update events.outbox set published_at = now() where id = $1", [id]),
    ).rejects.toMatchObject(refused);
    await expect(systemQuery("test", "delete from events.outbox where id = $1", [id])).rejects.toMatchObject(refused);
  });

  it("forgets only what is published and past its retention", async () => {
    const [published] = await append("a", 1);
    await relay().runOnce();
    const [pending] = await append("b", 2);
    expect(await withSystem("test", (tx) => outboxPurge(tx, 1, 100))).toBe(0);
    await withSystem("test", (tx) => outboxPurge(tx, -1, 10_000));
    expect([await rowOf(published ?? ""), await rowOf(pending ?? "")]).toMatchObject([
      undefined,
      { status: "PENDING" },
    ]);
  });
});

describe("the relay", () => {
  it("publishes each row once and marks it SENT", async () => {
    const ids = await append("a", 1, 2, 3);
    expect(await relay().runOnce()).toBe(3);
    expect(await relay().runOnce()).toBe(0);
    expect(delivered.map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await rowOf(ids[0] ?? "")).toMatchObject({ status: "SENT", attempts: 1 });
  });

  it("keeps an aggregate's order when one of its rows fails, and lets other aggregates pass", async () => {
    const [, second, third] = await append("a", 1, 2, 3);
    await append("b", 9);
    refuse = ({ n }) => n === 2;
    await relay({ backoff: { firstMs: 60_000, maxMs: 60_000 } }).runOnce();
    expect(delivered).toEqual(
      expect.arrayContaining([
        { aggregate: "a", n: 1 },
        { aggregate: "b", n: 9 },
      ]),
    );
    expect(await rowOf(second ?? "")).toEqual({ status: "FAILED", attempts: 1, last_error: "Error: refused 2" });
    expect(await rowOf(third ?? "")).toEqual({ status: "PENDING", attempts: 0, last_error: null });

    // The third is due, but waits for the second, which is backing off.
    refuse = () => false;
    expect(await relay().runOnce()).toBe(0);
    await withSystem("test", (tx) =>
      tx.execute("update events.outbox set next_attempt_at = now() where id = $1", [second]),
    );
    await relay().runOnce();
    expect(delivered.filter(({ aggregate }) => aggregate === "a").map(({ n }) => n)).toEqual([1, 2, 3]);
  });

  it("tries again until it succeeds, however often that is", async () => {
    let refusals = 20;
    refuse = () => refusals-- > 0;
    const [id] = await append("a", 1);
    for (let run = 0; run < 21; run++) await relay().runOnce();
    expect(delivered).toEqual([{ aggregate: "a", n: 1 }]);
    expect(await rowOf(id ?? "")).toMatchObject({ status: "SENT", attempts: 21 });
  });

  it("takes over the rows of a relay that died holding them, once their lease has ended", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    registerDestination("test-held", { batchSize: 1, publish: () => held });
    const id = newId();
    await withTenant({ tenantId }, (tx) =>
      appendToOutbox(tx, {
        id,
        destination: "test-held",
        tenantId,
        aggregateType: "held",
        aggregateId: "h",
        type: "t",
        version: 1,
        payload: {},
        headers: {},
      }),
    );
    const dying = relay({ leaseMs: 60_000 }).runOnce();
    await expect.poll(async () => (await rowOf(id))?.attempts).toBe(1);

    let published = 0;
    registerDestination("test-held", {
      batchSize: 1,
      publish: async () => {
        published++;
      },
    });
    expect(await relay().runOnce()).toBe(0);
    await withSystem("test", (tx) =>
      tx.execute("update events.outbox set next_attempt_at = now() where id = $1", [id]),
    );
    expect(await relay().runOnce()).toBe(1);
    expect([published, await rowOf(id)]).toMatchObject([1, { status: "SENT", attempts: 2 }]);
    release();
    await dying;
    expect(await rowOf(id)).toMatchObject({ status: "SENT", attempts: 2 });
  });

  it("keeps rows of a destination nobody has registered", async () => {
    const id = newId();
    await withTenant({ tenantId }, (tx) =>
      appendToOutbox(tx, {
        id,
        destination: "nowhere",
        tenantId,
        aggregateType: "t",
        aggregateId: id,
        type: "t",
        version: 1,
        payload: {},
        headers: {},
      }),
    );
    await relay({ backoff: { firstMs: 60_000, maxMs: 60_000 } }).runOnce();
    expect(await rowOf(id)).toMatchObject({
      status: "FAILED",
      last_error: 'Error: no destination "nowhere" in this process',
    });
  });

  it("is woken by a commit, stops after the batch at hand, and does nothing while the process is not ready", async () => {
    let isReady = false;
    const running = relay({ pollMs: 10, isReady: async () => isReady });
    onRelaySignal(() => running.wake());
    running.start();
    await append("a", 1);
    expect(delivered).toEqual([]);
    isReady = true;
    await expect.poll(() => delivered.length).toBe(1);

    const slow = relay({ pollMs: 60_000 });
    await running.stop();
    onRelaySignal(() => slow.wake());
    slow.start();
    await append("a", 2);
    await expect.poll(() => delivered.length).toBe(2);
    await slow.stop();
    onRelaySignal(undefined);
    await append("a", 3);
    expect(delivered.length).toBe(2);
  });
});
