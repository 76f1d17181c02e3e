import { beforeEach, describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { registerDestination } from "../destinations";
import { appendToOutbox, type OutboxEntry } from "../outbox";
import { createRelay, type RelayOptions } from "../relay";
import { onRelaySignal } from "../signal";

interface Delivery {
  aggregate: string;
  n: number;
}

// Files may share a database: this one has destinations of its own, and looks at their rows only.
const destination = `relay-${newId()}`;
const elsewhere = `elsewhere-${newId()}`;
const tenantId: TenantId = tenantIdFrom(newId());
let delivered: Delivery[] = [];
let refuse: (delivery: Delivery) => boolean = () => false;

registerDestination(destination, {
  batchSize: 1,
  publish: async ([row]) => {
    const delivery = { aggregate: row?.aggregateId ?? "", n: (row?.payload as { n: number }).n };
    if (refuse(delivery)) throw new Error(`refused ${delivery.n}`);
    delivered.push(delivery);
  },
});

function entry(aggregateId: string, n: number, change: Partial<OutboxEntry> = {}): OutboxEntry {
  return {
    id: newId(),
    destination,
    tenantId,
    aggregateType: "thing",
    aggregateId,
    type: "test.thing.changed",
    version: 1,
    payload: { n },
    headers: {},
    ...change,
  };
}

async function append(aggregate: string, ...numbers: number[]): Promise<string[]> {
  return withTenant({ tenantId }, async (tx) => {
    const ids: string[] = [];
    for (const n of numbers) ids.push(await appendToOutbox(tx, entry(aggregate, n)));
    return ids;
  });
}

const appendOne = (row: OutboxEntry): Promise<string> => withTenant({ tenantId }, (tx) => appendToOutbox(tx, row));

function relay(options: RelayOptions = {}) {
  return createRelay({
    destinations: [destination, elsewhere],
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

/** The lease on a row's aggregate ends as if its time were up. */
const endLease = (id: string) =>
  systemQuery(
    "test",
    `update events.outbox_aggregate set leased_until = now() where key = (select aggregate_key from events.outbox where id = $1)`,
    [id],
  );
const makeDue = (id: string) =>
  systemQuery("test", "update events.outbox set next_attempt_at = now() where id = $1", [id]);
/** Whether the row's aggregate is still known to the relay. */
const isKept = async (id: string) =>
  (
    await systemQuery(
      "test",
      "select 1 from events.outbox_aggregate a join events.outbox o on o.aggregate_key = a.key where o.id = $1",
      [id],
    )
  ).length > 0;

beforeEach(async () => {
  delivered = [];
  refuse = () => false;
  await systemQuery(
    "test",
    "update events.outbox set published_at = now() where published_at is null and destination = any($1)",
    [[destination, elsewhere]],
  );
});

describe("the outbox", () => {
  it("holds an event if and only if its transaction committed", async () => {
    await withTenant({ tenantId }, async (tx) => {
      await appendToOutbox(tx, entry("gone", 1));
      throw new Error("no");
    }).catch(() => undefined);
    await append("kept", 1);
    expect(
      await systemQuery(
        "test",
        "select aggregate_id from events.outbox where published_at is null and destination = $1",
        [destination],
      ),
    ).toEqual([{ aggregate_id: "kept" }]);
  });

  it("takes the same id once", async () => {
    const id = newId();
    for (const n of [1, 2]) await appendOne(entry("a", n, { id }));
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
});

describe("the relay", () => {
  it("publishes each row once, marks it SENT, and keeps nothing of an aggregate that has no more", async () => {
    const ids = await append("a", 1, 2, 3);
    expect(await relay().runOnce()).toBe(3);
    expect(await relay().runOnce()).toBe(0);
    expect(delivered.map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await rowOf(ids[0] ?? "")).toMatchObject({ status: "SENT", attempts: 1 });
    expect(await isKept(ids[0] ?? "")).toBe(false);
  });

  it("takes aggregates in turns when they have more than a batch", async () => {
    await append("a", ...Array.from({ length: 12 }, (_, n) => n));
    await append("b", 100);
    const small = relay({ batch: 4, depth: 3, concurrency: 1 });
    await small.runOnce();
    expect(delivered.filter(({ aggregate }) => aggregate === "a").map(({ n }) => n)).toEqual([0, 1, 2]);
    expect(delivered).toContainEqual({ aggregate: "b", n: 100 });
    while ((await small.runOnce()) > 0);
    expect(delivered.filter(({ aggregate }) => aggregate === "a").map(({ n }) => n)).toEqual(
      Array.from({ length: 12 }, (_, n) => n),
    );
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

    // The third is due, but waits for the second, which is backing off; so does one that comes later.
    refuse = () => false;
    await append("a", 4);
    expect(await relay().runOnce()).toBe(0);
    await makeDue(second ?? "");
    await relay().runOnce();
    expect(delivered.filter(({ aggregate }) => aggregate === "a").map(({ n }) => n)).toEqual([1, 2, 3, 4]);
  });

  it("lets no tenant hold up another by naming its aggregate", async () => {
    await append("shared", 1);
    refuse = () => true;
    await relay({ backoff: { firstMs: 60_000, maxMs: 60_000 } }).runOnce();
    refuse = () => false;
    const other = tenantIdFrom(newId());
    await withTenant({ tenantId: other }, (tx) => appendToOutbox(tx, entry("shared", 2, { tenantId: other })));
    expect(await relay().runOnce()).toBe(1);
    expect(delivered).toEqual([{ aggregate: "shared", n: 2 }]);
  });

  it("tries again until it succeeds, however often that is, also when the error cannot be stored as it is", async () => {
    let refusals = 20;
    refuse = () => {
      if (refusals-- > 0) throw new Error("nul \0 and more".repeat(1_000));
      return false;
    };
    const [id] = await append("a", 1);
    for (let run = 0; run < 21; run++) await relay().runOnce();
    expect(delivered).toEqual([{ aggregate: "a", n: 1 }]);
    expect(await rowOf(id ?? "")).toMatchObject({ status: "SENT", attempts: 21 });
  });

  it("takes over the rows of a relay that died holding them, once their lease has ended", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let isHeld = false;
    registerDestination(elsewhere, {
      batchSize: 1,
      publish: () => {
        isHeld = true;
        return held;
      },
    });
    const id = await appendOne(entry("held", 1, { destination: elsewhere }));
    const dying = relay({ leaseMs: 60_000 }).runOnce();
    await expect.poll(() => isHeld).toBe(true);
    // Nothing became of it yet.
    expect(await rowOf(id)).toMatchObject({ status: "PENDING", attempts: 0 });

    let published = 0;
    registerDestination(elsewhere, {
      batchSize: 1,
      publish: async () => {
        published++;
      },
    });
    expect(await relay().runOnce()).toBe(0);
    await endLease(id);
    expect(await relay().runOnce()).toBe(1);
    expect([published, await rowOf(id)]).toMatchObject([1, { status: "SENT", attempts: 2 }]);
    release();
    await dying;
    expect(await rowOf(id)).toMatchObject({ status: "SENT", attempts: 2 });
  });

  it("leaves rows of a destination that this process does not know to one that does", async () => {
    const id = await appendOne(entry("a", 1, { destination: `nobody-${newId()}` }));
    await createRelay().runOnce();
    expect(await rowOf(id)).toEqual({ status: "PENDING", attempts: 0, last_error: null });
  });

  it("is woken by a commit, stops after the batch at hand, and does nothing while the process is not ready", async () => {
    let isReady = false;
    let asked = 0;
    const running = relay({
      pollMs: 5,
      isReady: async () => {
        asked++;
        return isReady;
      },
    });
    onRelaySignal((name) => running.wake(name));
    running.start();
    await append("a", 1);
    const askedBefore = asked;
    await expect.poll(() => asked).toBeGreaterThan(askedBefore + 4);
    expect(delivered).toEqual([]);
    isReady = true;
    await expect.poll(() => delivered.length).toBe(1);

    const slow = relay({ pollMs: 60_000 });
    await running.stop();
    onRelaySignal((name) => slow.wake(name));
    slow.start();
    await append("a", 2);
    await expect.poll(() => delivered.length).toBe(2);
    await slow.stop();
    onRelaySignal(undefined);
    await append("a", 3);
    slow.wake();
    expect([await relay().runOnce(), delivered.length]).toEqual([1, 3]);
  });
});

describe("a destination that never answers", () => {
  /** Calls that have had no answer, oldest first; `signal` is what the relay gave with them. */
  const calls: { n: number; accept: () => void; refuse: (error: Error) => void; signal: AbortSignal }[] = [];
  const hang = () => {
    calls.length = 0;
    registerDestination(elsewhere, {
      batchSize: 1,
      publish: ([row], signal) =>
        new Promise<void>((accept, no) =>
          calls.push({ n: (row?.payload as { n: number }).n, accept, refuse: no, signal }),
        ),
    });
  };

  it("stops nobody else, while it hangs and after", async () => {
    hang();
    const running = relay({ pollMs: 5, leaseMs: 60_000 });
    onRelaySignal((name) => running.wake(name));
    running.start();
    await appendOne(entry("silent", 1, { destination: elsewhere }));
    await expect.poll(() => calls.length).toBe(1);
    for (let n = 1; n <= 3; n++) {
      await append(`flows-${n}`, n);
      await expect.poll(() => delivered.length).toBe(n);
    }
    // One aggregate of it hangs, another does not.
    await appendOne(entry("answered", 2, { destination: elsewhere }));
    await expect.poll(() => calls.length).toBe(2);
    calls[1]?.accept();
    onRelaySignal(undefined);
    const stopping = running.stop();
    calls[0]?.accept();
    await stopping;
    expect(await relay().runOnce()).toBe(0);
  });

  it("is waited for as long as the lease allows, told to give up, and its late answer counts", async () => {
    hang();
    const first = await appendOne(entry("late", 1, { destination: elsewhere }));
    await appendOne(entry("late", 2, { destination: elsewhere }));
    const impatient = relay({ leaseMs: 600, backoff: { firstMs: 60_000, maxMs: 60_000, jitter: 0 } });
    await impatient.runOnce();
    expect(calls.map(({ n, signal }) => [n, signal.aborted])).toEqual([[1, true]]);
    expect(await rowOf(first)).toMatchObject({
      status: "FAILED",
      last_error: expect.stringMatching(/^NoAnswerError: no answer within \d+ ms$/) as string,
    });
    expect(await impatient.runOnce()).toBe(0);

    calls[0]?.accept();
    await expect.poll(async () => (await rowOf(first))?.status).toBe("SENT");
    // The second need not wait for the minute that the first was given.
    const second = relay({ leaseMs: 60_000 }).runOnce();
    await expect.poll(() => calls.length).toBe(2);
    calls[1]?.accept();
    expect([await second, calls[1]?.n]).toEqual([1, 2]);
  });

  it("may not undo what the next holder of its rows has done, however late it answers", async () => {
    hang();
    const id = await appendOne(entry("stolen", 1, { destination: elsewhere }));
    await appendOne(entry("stolen", 2, { destination: elsewhere }));
    const slow = relay({ leaseMs: 60_000 }).runOnce();
    await expect.poll(() => calls.length).toBe(1);
    await endLease(id);
    const thief = relay({ leaseMs: 60_000 }).runOnce();
    await expect.poll(() => calls.length).toBe(2);
    calls[0]?.accept();
    await expect.poll(() => calls.length).toBe(3);
    calls[2]?.refuse(new Error("late"));
    await slow;
    // The thief still holds the aggregate: nobody else may begin its second row, nor does its failure count.
    expect((await rowOf(id))?.status).toBe("SENT");
    expect(await relay().runOnce()).toBe(0);
    calls[1]?.accept();
    await expect.poll(() => calls.length).toBe(4);
    calls[3]?.accept();
    await thief;
    expect(await isKept(id)).toBe(false);
  });

  it("is probed with one row now and then until it answers, and costs a stopping process two seconds at most", async () => {
    hang();
    const ids: string[] = [];
    for (let n = 1; n <= 8; n++) ids.push(await appendOne(entry(`many-${n}`, n, { destination: elsewhere })));
    const running = relay({ pollMs: 60_000, leaseMs: 1_200, concurrency: 2, random: () => 1 });
    running.start();
    await expect.poll(() => calls.length).toBe(2);
    await expect.poll(() => calls.length).toBe(3);
    const before = performance.now();
    await running.stop();
    expect(performance.now() - before).toBeLessThan(10_000);
    registerDestination(elsewhere, {
      batchSize: 100,
      publish: async (rows) => void delivered.push(...rows.map(() => ({ aggregate: "", n: 0 }))),
    });
    for (const call of calls) call.accept();
    await relay().runOnce();
    expect(await Promise.all(ids.map(async (id) => (await rowOf(id))?.status))).toEqual(ids.map(() => "SENT"));
  });
});
