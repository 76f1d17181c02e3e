// What a host does for an app of which two versions run side by side: on the database that everybody has, and on Redis where
// GROUNDWORK_TEST_REDIS_URL names one.
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { GiveBackPace } from "../give-back";
import { countMessages, type PubSubPart } from "../index";
import { database, listen, makePubSub, subscription, until, type HostOptions, type Received } from "./kit";

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
