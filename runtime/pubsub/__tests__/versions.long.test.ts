// What a host does for an app of which two versions run side by side: on the database that everybody has, and on Redis where
// GROUNDWORK_TEST_REDIS_URL names one.
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import type { Pool } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { GiveBackPace } from "../give-back";
import { countMessages, type PubSubPart } from "../index";
import { wakingFactory, type WakingBackend } from "../postgres-backend";
import { PostgresBroker } from "../postgres-broker";
import { connectBroker, createBrokerPool } from "../postgres-pool";
import { installPubSub } from "../postgres-schema";
import { Wakeups } from "../wakeups";
import { database, impatient, listen, makePubSub, subscription, until, type HostOptions, type Received } from "./kit";

let clone: ClonedDatabase | undefined;
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL;
const transports = redisUrl ? ["postgres", "redis"] : ["postgres"];

beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(() => clone?.drop());

describe.each(transports)("versions side by side, with topics on %s", (transport) => {
  let open: PubSubPart[] = [];

  function pubsub(options: HostOptions): PubSubPart {
    const part = makePubSub({ ...options, ...(transport === "redis" ? { redisUrl } : { url: clone?.url }) });
    open.push(part);
    return part;
  }
  afterEach(async () => {
    await Promise.all(open.map((part) => part.close()));
    open = [];
  });

  const name = (): string => `${transport}-${randomUUID()}`;

  it("keeps a message for a subscription that only another version of the app has, where the app names it", async () => {
    const [old, fresh, received] = [name(), name(), [] as Received[]];
    const publisher = pubsub({ subscriptions: [subscription(old)] });
    const app = globalThis as { [key: symbol]: unknown };
    const key = Symbol.for("groundwork.wanted-elsewhere");
    // A subscription that both have is named too: it gets the message once.
    app[key] = (topic: string, message: { n: number }) => (topic === "orders" && message.n === 2 ? [fresh, old] : []);
    try {
      for (const n of [1, 2]) await publisher.topic("orders").publish({ n });
    } finally {
      app[key] = undefined;
    }
    const next = pubsub({ subscriptions: [subscription(old), subscription(fresh)] });
    listen(next, old, received);
    listen(next, fresh, received);
    await next.start();
    await until(() => received.length === 3);
    expect(received.map(({ sub, n }) => [sub, n]).sort()).toEqual(
      [
        [old, 1],
        [old, 2],
        [fresh, 2],
      ].sort(),
    );
  });

  it("delivers what a process gives back soon again, at its place, as if it had not been delivered", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({
      subscriptions: [subscription(sub, { maxRetries: 0, minBackoffMs: 60_000, maxBackoffMs: 60_000 })],
      orderingAttribute: "customer",
    });
    let refusals = 30;
    listen(part, sub, received, ({ n }) => {
      if (n !== 1 || refusals-- <= 0) return;
      throw Object.assign(new Error("not mine"), { [Symbol.for("groundwork.give-back")]: true });
    });
    await part.start();
    for (const n of [1, 2]) await part.topic("orders").publish({ n, customer: "ann" });
    await until(() => received.some(({ n }) => n === 2));
    expect(received.map(({ n, attempt }) => [n, attempt])).toEqual([
      ...Array.from({ length: 31 }, () => [1, 1]),
      [2, 1],
    ]);
    const names = { topic: "orders", subscription: sub };
    await expect
      .poll(() => countMessages(part.broker(), names))
      .toMatchObject({ waiting: 0, active: 0, delayed: 0, deadLetters: 0 });
  });

  it.runIf(transport === "redis")(
    "gives nothing back under a lock that it has lost: that delivery counts, and the message comes again by itself",
    async () => {
      const [sub, received] = [name(), [] as Received[]];
      const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 0 })], orderingAttribute: "customer" });
      const redis = new Redis(redisUrl ?? "");
      onTestFinished(() => redis.disconnect());
      listen(part, sub, received, async ({ n, attempt }) => {
        if (n !== 1 || attempt > 1) return;
        // As when the process stood still for longer than the lock lasts.
        const keys = await redis.keys(`*:orders/${sub}:*:lock`);
        expect(await redis.del(keys)).toBe(1);
        throw Object.assign(new Error("not mine"), { [Symbol.for("groundwork.give-back")]: true });
      });
      await part.start();
      for (const n of [1, 2]) await part.topic("orders").publish({ n, customer: "ann" });
      await until(() => received.some(({ n }) => n === 2));
      expect(received.map(({ n }) => n)).toEqual([1, 1, 2]);
      expect(received.filter(({ n }) => n === 1).map(({ attempt }) => attempt)).toEqual([1, 2]);
      const left = () => countMessages(part.broker(), { topic: "orders", subscription: sub });
      await expect.poll(left).toMatchObject({ waiting: 0, active: 0, delayed: 0, deadLetters: 0 });
    },
  );

  it("gives back a hundred messages a second over all its subscriptions", async () => {
    const subs = [name(), name(), name()];
    const received: Received[] = [];
    const part = pubsub({ subscriptions: subs.map((sub) => subscription(sub)) });
    const given = new Set<string>();
    let handled = 0;
    for (const sub of subs)
      listen(part, sub, received, ({ n }) => {
        const key = `${sub} ${n}`;
        if (given.has(key)) return void handled++;
        given.add(key);
        throw Object.assign(new Error("not mine"), { [Symbol.for("groundwork.give-back")]: true });
      });
    for (let n = 0; n < 20; n++) await part.topic("orders").publish({ n });
    const startedAt = performance.now();
    await part.start();
    await until(() => handled === 60);
    // A busy machine makes it longer; with a pace for each subscription it is a third.
    expect(performance.now() - startedAt).toBeGreaterThan(580);
  });
});

describe("a consumer on Postgres", () => {
  async function open(): Promise<{ backend: WakingBackend; broker: PostgresBroker; queue: string; pool: Pool }> {
    const [queue, url] = [randomUUID(), clone?.url ?? ""];
    const broker = new PostgresBroker(url, 2, impatient);
    const pool = createBrokerPool(url, 2, impatient.silenceMs);
    onTestFinished(async () => {
      await broker.close();
      await pool.end();
    });
    const options = {
      ...impatient,
      giveBackMs: 60_000,
      pool,
      wakeups: new Wakeups(),
      ordered: false,
      lostDeliveriesMax: 1,
    };
    const backend = wakingFactory(await connectBroker(pool), options)(queue, { connection: pool });
    return { backend, broker, queue, pool };
  }

  it.each([
    ["ahead of", 30_000, true],
    ["behind", -30_000, true],
    ["ahead of", 30_000, false],
  ])(
    "whose clock is %s the database's looks when the database's says so (%d ms, given back: %s)",
    async (_, skewMs, isGivenBack) => {
      const now = Date.now.bind(Date);
      const clock = vi.spyOn(Date, "now").mockImplementation(() => now() + skewMs);
      onTestFinished(() => clock.mockRestore());
      const { backend, broker, queue } = await open();
      await broker.add([queue], { id: "a", body: "{}", publishedAt: now() });
      await backend.moveToActive("one");
      await backend.moveToDelayed("a", 0, 10_000, "one", { skipAttempt: isGivenBack });
      const waits: number[] = [];
      for (let look = 0; look < 20; look++) {
        const [job, , , dueAtMs] = await backend.moveToActive("two");
        expect(job).toBeNull();
        waits.push(dueAtMs - Date.now());
      }
      // Never none: who does not wait asks the database without a pause.
      expect(Math.min(...waits)).toBeGreaterThan(0);
      expect(Math.max(...waits)).toBeLessThanOrEqual(10_001 + (isGivenBack ? 60_000 : 0));
      // Each look draws: another process may be first. A failed one is not made to wait.
      if (isGivenBack) expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(10_000);
    },
  );

  it("leaves the versions of the host before it what they call", async () => {
    const { backend, broker, queue, pool } = await open();
    const older = (
      args: string,
      next = "",
    ): string => `create or replace function groundwork.pubsub_turn(p_queue text, p_ids text[], p_tokens text[], p_states text[],
      p_delays_ms bigint[], p_reasons text[], p_stacks text[], p_claims text[], p_lock_ms bigint, p_ordered boolean${args})
      returns setof groundwork.pubsub_row language sql as $$ select * from groundwork.pubsub_claim(p_queue, p_claims, p_lock_ms, 0) ${next} $$`;
    await pool.query(older(""));
    await pool.query("comment on function groundwork.pubsub_reclaim(text, integer) is 'of another version'");
    await installPubSub(pool);
    await broker.add([queue], { id: "a", body: "{}", publishedAt: 0 });
    const call = (ids: string[], more: unknown[] = []) => {
      const state = ids.map(() => "delayed");
      const values = [
        queue,
        ids,
        ids.map(() => "one"),
        state,
        ids.map(() => 60_000),
        ids.map(() => null),
        ids.map(() => null),
      ];
      const all = [...values, ["one"], 60_000, false, ...more];
      const places = all.map((_, index) => `$${index + 1}`).join(", ");
      return pool.query<{ kind: string; id: string; at: string }>(
        `select * from groundwork.pubsub_turn(${places})`,
        all,
      );
    };
    expect((await call([])).rows).toMatchObject([{ kind: "claimed", id: "a" }]);
    // The one before this went by when the next is due, which is the database's time.
    const { rows } = await call(["a"], [[true]]);
    const due = await pool.query<{ at: string }>("select process_at_ms as at from bullmq.job where queue = $1", [
      queue,
    ]);
    expect(rows).toMatchObject([
      { kind: "settled", id: "a" },
      { kind: "due", at: due.rows[0]?.at },
    ]);
    // And puts its own in our place when it starts later: that tells no difference.
    await pool.query(
      older(
        ", p_given_back boolean[]",
        "union all select 'due', null, null, null, (extract(epoch from clock_timestamp()) * 1000)::bigint + 60000, null, null, null, null, null, null",
      ),
    );
    const [, , , dueAtMs] = await backend.moveToActive("two");
    expect(dueAtMs - Date.now()).toBeGreaterThan(0);
    await pool.query("comment on function groundwork.pubsub_reclaim(text, integer) is null");
    await pool.query(
      "drop function groundwork.pubsub_turn(text, text[], text[], text[], bigint[], text[], text[], text[], bigint, boolean)",
    );
    await installPubSub(pool);
  });
});

describe("what is given back", () => {
  let now = 0;
  let drawn = 0;
  const paceOf = (): GiveBackPace =>
    new GiveBackPace(
      1000,
      () => now,
      () => drawn,
    );
  beforeEach(() => {
    now = drawn = 0;
  });

  it("comes again after the pause and up to as much more, and a hundred a second at most", () => {
    const pace = paceOf();
    expect(pace.nextDelayMs(0)).toBe(1000);
    now = 5000;
    drawn = 0.5;
    expect(pace.nextDelayMs(0)).toBe(1500);
    drawn = 0;
    // The thousandth at once comes ten seconds after the first of them.
    const delays = Array.from({ length: 1000 }, () => pace.nextDelayMs(0));
    expect([delays[0], delays[999]]).toEqual([1010, 11_000]);
    // However often one comes, its wait grows no further once the others are gone.
    now = 60_000;
    for (let time = 0; time < 100; time++, now += 2000) expect(pace.nextDelayMs(0)).toBe(1000);
  });

  it("comes more seldom the longer it has waited, once a minute in the end, and delays nothing that is young", () => {
    const pace = paceOf();
    const delayOf = (ageMs: number): number => {
      now += 100;
      return pace.nextDelayMs(ageMs);
    };
    // A publisher whose clock is ahead makes it no older, one far behind no slower than once a minute.
    expect([-30_000, 0, 20_000, 100_000, 600_000, 1_200_000, 43_200_000].map(delayOf)).toEqual([
      ...[1000, 1000, 1000, 5000, 30_000, 60_000, 60_000],
    ]);
    drawn = 0.5;
    expect([delayOf(600_000), delayOf(0)]).toEqual([45_000, 1500]);
  });
});
