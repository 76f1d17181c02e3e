// What publishers and subscribers may rely on, on the database that everybody has, and on Redis where
// GROUNDWORK_TEST_REDIS_URL names one.
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { Request } from "../../native/request";
import type { BrokerTimings } from "../broker";
import {
  clearPublished,
  countMessages,
  listDeadLetters,
  publishedMessages,
  redrive,
  replay,
  type PubSubPart,
} from "../index";
import { database, listen, makePubSub, subscription, until, type HostOptions, type Received } from "./kit";

let clone: ClonedDatabase | undefined;
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL;
const transports = redisUrl ? ["postgres", "redis"] : ["postgres"];

beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(() => clone?.drop());

describe.each(transports)("topics on %s", (transport) => {
  let open: PubSubPart[] = [];

  function pubsub(options: HostOptions, timings: Partial<BrokerTimings> = {}): PubSubPart {
    const part = makePubSub({ ...options, ...(transport === "redis" ? { redisUrl } : { url: clone?.url }) }, timings);
    open.push(part);
    return part;
  }
  afterEach(async () => {
    await Promise.all(open.map((part) => part.close()));
    open = [];
  });

  /** A name of its own per test: all tests share one broker. */
  const name = (): string => `${transport}-${randomUUID()}`;

  it("delivers a message to every subscription under the id that publish gave", async () => {
    const [a, b, received] = [name(), name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(a), subscription(b)] });
    listen(part, a, received);
    listen(part, b, received);
    await part.start();
    const id = await part.topic("orders").publish({ n: 7, unknown: true });
    await until(() => received.length === 2);
    expect(received.map((got) => got.sub).sort()).toEqual([a, b].sort());
    expect(received.every((got) => got.id === id && got.n === 7 && got.attempt === 1)).toBe(true);
    expect(id).toMatch(/^[0-9a-v]{20}$/);
  });

  it("gives a message to those subscriptions that the app says want it, and to all when it cannot say", async () => {
    const [a, b, received] = [name(), name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(a), subscription(b)] });
    listen(part, a, received);
    listen(part, b, received);
    await part.start();
    const asked: unknown[] = [];
    const key = Symbol.for("groundwork.wanted-by");
    const app = globalThis as { [key: symbol]: unknown };
    app[key] = (topic: string, sub: string, message: { n: number }): boolean => {
      asked.push([topic, sub, message.n]);
      if (message.n === 3) throw new Error("cannot say");
      return message.n === 2 && sub === b;
    };
    try {
      for (const n of [1, 2, 3]) await part.topic("orders").publish({ n });
    } finally {
      app[key] = undefined;
    }
    await until(() => received.length === 3);
    expect(received.map(({ sub, n }) => [sub, n]).sort()).toEqual(
      [
        [a, 3],
        [b, 2],
        [b, 3],
      ].sort(),
    );
    expect(asked).toEqual([1, 2, 3].flatMap((n) => [a, b].map((sub) => ["orders", sub, n])));
    // What was handled is acknowledged a moment later.
    const left = async (): Promise<number[]> => {
      const queues = [a, b].map((sub) => countMessages(part.broker(), { topic: "orders", subscription: sub }));
      return (await Promise.all(queues)).map(({ waiting, active, delayed }) => waiting + active + delayed);
    };
    await expect.poll(left).toEqual([0, 0]);
  });

  it("holds a message for a subscription that nobody is listening to yet", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const publisher = pubsub({ subscriptions: [subscription(sub)] });
    await publisher.topic("orders").publish({ n: 1 });
    const later = pubsub({ subscriptions: [subscription(sub)] });
    listen(later, sub, received);
    await later.start();
    await until(() => received.length === 1);
  });

  it("takes what Postgres cannot store, in a message and in what its handler throws", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 1 })] });
    listen(part, sub, received, () => {
      throw new Error("a \0 and half a pair \ud800");
    });
    await part.start();
    await part.topic("orders").publish({ n: 5, customer: "\ud800" });
    const letters = () => listDeadLetters(part.broker(), { topic: "orders", subscription: sub });
    await until(async () => (await letters()).length === 1);
    expect((await letters())[0]).toMatchObject({
      attempts: 2,
      body: { n: 5, customer: "\ufffd" },
      reason: expect.stringMatching(/^a . and half a pair/su) as string,
    });
  });

  it("delivers again after a failure, counting attempts, with the policy's waits, and keeps the last failure as a dead letter", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 2 })] });
    let lastTrace = "";
    listen(part, sub, received, (got, request) => {
      lastTrace = request.meta().trace.traceId;
      throw new Error(`refused ${got.attempt}`);
    });
    await part.start();
    const id = await part.topic("orders").publish({ n: 5 });
    const letters = () => listDeadLetters(part.broker(), { topic: "orders", subscription: sub });
    await until(async () => (await letters()).length === 1);
    expect(received.map((got) => got.attempt)).toEqual([1, 2, 3]);
    expect((await letters())[0]).toMatchObject({
      messageId: id,
      attempts: 3,
      reason: "refused 3",
      traceId: lastTrace,
      body: { n: 5 },
    });
    expect((await letters())[0]?.error).toContain("refused 3");
  });

  it("delivers a dead letter again with all its retries when it is redriven, and then it is gone", async () => {
    const [sub, received] = [name(), [] as Received[]];
    let broken = true;
    const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 0 })] });
    listen(part, sub, received, () => {
      if (broken) throw new Error("not yet");
    });
    await part.start();
    await part.topic("orders").publish({ n: 1 });
    const names = { topic: "orders", subscription: sub };
    await until(async () => (await countMessages(part.broker(), names)).deadLetters === 1);
    broken = false;
    expect(await redrive(part.broker(), names)).toBe(1);
    await until(() => received.length === 2);
    expect(received[1]?.attempt).toBe(1);
    await until(async () => {
      const counts = await countMessages(part.broker(), names);
      return counts.deadLetters === 0 && counts.active === 0;
    });
  });

  it("keeps dead letters for ninety days and no longer, of subscriptions that the app has no more too", async () => {
    const [sub, gone, appId] = [name(), name(), name()];
    const broken = (subs: string[], timings: Partial<BrokerTimings>): PubSubPart => {
      const options = { appId, subscriptions: subs.map((one) => subscription(one, { maxRetries: 0 })) };
      const part = pubsub(options, timings);
      for (const one of subs) listen(part, one, [], () => expect.fail("refused"));
      return part;
    };
    const lettersOf = async (part: PubSubPart, subscription: string): Promise<number> =>
      (await countMessages(part.broker(), { topic: "orders", subscription })).deadLetters;
    const both = (part: PubSubPart): Promise<number[]> => Promise.all([sub, gone].map((one) => lettersOf(part, one)));
    const before = broken([sub, gone], { upkeepMs: 100 });
    await before.start();
    await before.topic("orders").publish({ n: 1 });
    await until(async () => (await both(before)).every((count) => count === 1));
    const endMs = Date.now() + 90 * 86_400_000;
    const clock = vi.spyOn(Date, "now").mockImplementation(() => endMs - 60_000);
    onTestFinished(() => clock.mockRestore());
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await both(before)).toEqual([1, 1]);
    await before.drain();
    const after = broken([sub], { upkeepMs: 100 });
    await after.start();
    expect(await both(after)).toEqual([1, 1]);
    clock.mockImplementation(() => endMs + 60_000);
    await until(async () => (await both(after)).every((count) => count === 0));
  });

  it("replays what a subscription has handled since a time", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub)] });
    listen(part, sub, received);
    await part.start();
    await part.topic("orders").publish({ n: 1 });
    await until(
      async () =>
        received.length === 1 &&
        (await countMessages(part.broker(), { topic: "orders", subscription: sub })).active === 0,
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    const since = new Date();
    await part.topic("orders").publish({ n: 2 });
    await until(
      async () =>
        received.length === 2 &&
        (await countMessages(part.broker(), { topic: "orders", subscription: sub })).active === 0,
    );
    expect(await replay(part.broker(), { topic: "orders", subscription: sub }, since)).toBe(1);
    await until(() => received.length === 3);
    expect(received[2]?.n).toBe(2);
  });

  it("never hands a message that does not fit to the handler, and keeps it as a dead letter that says why", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 1 })] });
    listen(part, sub, received);
    await part.start();
    await part.topic("orders").publish({ n: "one" });
    const letters = () => listDeadLetters(part.broker(), { topic: "orders", subscription: sub });
    await until(async () => (await letters()).length === 1);
    expect(received).toEqual([]);
    expect((await letters())[0]?.reason).toMatch(/^n: invalid type/);
  });

  it("runs no more handlers at once than maxConcurrency, and as many", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub, { maxConcurrency: 3 })] });
    let running = 0;
    let most = 0;
    listen(part, sub, received, async () => {
      most = Math.max(most, ++running);
      // On a busy machine the others begin later; a fourth would begin in the moment after.
      if (most < 3) await until(() => most >= 3).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 30));
      running -= 1;
    });
    await part.start();
    await Promise.all(Array.from({ length: 12 }, (_, n) => part.topic("orders").publish({ n })));
    await until(() => received.length === 12 && running === 0);
    expect(most).toBe(3);
  });

  it("handles messages of the same ordering attribute one after the other, others beside them", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub, { maxConcurrency: 10 })], orderingAttribute: "customer" });
    const running = new Map<string, number>();
    let overlapped = false;
    let most = 0;
    listen(part, sub, received, async ({ customer = "" }) => {
      running.set(customer, (running.get(customer) ?? 0) + 1);
      overlapped ||= (running.get(customer) ?? 0) > 1;
      most = Math.max(
        most,
        [...running.values()].reduce((sum, count) => sum + count, 0),
      );
      await new Promise((resolve) => setTimeout(resolve, 15));
      running.set(customer, (running.get(customer) ?? 0) - 1);
    });
    for (let n = 0; n < 12; n++) await part.topic("orders").publish({ n, customer: n % 2 ? "odd" : "even" });
    await part.start();
    await until(() => received.length === 12);
    expect(overlapped).toBe(false);
    expect(most).toBe(2);
    for (const customer of ["odd", "even"]) {
      const order = received.filter((got) => got.customer === customer).map((got) => got.n);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
    expect(
      received.every((got) => got.attempt === 1),
      "waiting for one's turn is no attempt",
    ).toBe(true);
  });

  it("holds back what follows a failed message of the same ordering attribute until that is handled or given up", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 1 })], orderingAttribute: "customer" });
    listen(part, sub, received, ({ n, attempt }) => {
      if (n === 1 || (n === 2 && attempt === 1)) throw new Error(`refused ${n}`);
    });
    for (const n of [1, 2, 3]) await part.topic("orders").publish({ n, customer: "c" });
    await part.start();
    await until(() => received.some((got) => got.n === 3));
    expect(received.map(({ n, attempt }) => [n, attempt])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
      [3, 1],
    ]);
    const letters = await listDeadLetters(part.broker(), { topic: "orders", subscription: sub });
    expect(letters.map((letter) => letter.body)).toEqual([{ n: 1, customer: "c" }]);
  });

  it("delivers a redriven message of an ordering attribute, beside nothing else of it", async () => {
    const [sub, received] = [name(), [] as Received[]];
    let broken = true;
    let running = 0;
    let overlapped = false;
    const part = pubsub({ subscriptions: [subscription(sub, { maxRetries: 0 })], orderingAttribute: "customer" });
    listen(part, sub, received, async () => {
      if (broken) throw new Error("not yet");
      overlapped ||= ++running > 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    });
    await part.start();
    await part.topic("orders").publish({ n: 1, customer: "c" });
    const names = { topic: "orders", subscription: sub };
    await until(async () => (await countMessages(part.broker(), names)).deadLetters === 1);
    broken = false;
    await Promise.all([
      redrive(part.broker(), names),
      ...[2, 3, 4].map((n) => part.topic("orders").publish({ n, customer: "c" })),
    ]);
    await until(() => received.length === 5 && running === 0);
    expect(overlapped).toBe(false);
    expect(
      received
        .slice(1)
        .map((got) => got.n)
        .sort(),
    ).toEqual([1, 2, 3, 4]);
  });

  it("gives every delivery a trace of its own that names the publisher's", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub)] });
    let trace: { traceId: string; parentTraceId?: string } | undefined;
    listen(part, sub, received, (_, request) => (trace = request.meta().trace));
    await part.start();
    const source = new Request({
      payload: () => null,
      authData: () => null,
      meta: () => ({ startedAt: "", trace: { traceId: "publisher", spanId: "span" } }),
    });
    await part.topic("orders").publish({ n: 1 }, source);
    await until(() => trace !== undefined);
    expect(trace?.parentTraceId).toBe("publisher");
    expect(trace?.traceId).toMatch(/^[0-9a-v]{26}$/);
  });

  it("ends draining only when the handlers in flight have ended", async () => {
    const [sub, received] = [name(), [] as Received[]];
    const part = pubsub({ subscriptions: [subscription(sub)] });
    let ended = false;
    listen(part, sub, received, async () => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      ended = true;
    });
    await part.start();
    await part.topic("orders").publish({ n: 1 });
    await until(() => received.length === 1);
    await part.drain();
    expect(ended).toBe(true);
    await part.topic("orders").publish({ n: 2 }); // requests that are still draining may publish
    expect(received).toHaveLength(1);
  });
});

describe("publishing", () => {
  const part = makePubSub({
    url: "postgres://nobody@127.0.0.1:1/none",
    subscriptions: [],
    orderingAttribute: "customer",
  });
  const topic = part.topic("orders");

  it.each([
    [null, "InvalidArg", /^no message payload provided$/],
    [undefined, "InvalidArg", /^no message payload provided$/],
    ["text", "GenericFailure", /Expect value to be Object, but received String/],
    [{ n: 1 }, "GenericFailure", /^failed to publish: ordering attribute customer not found$/],
    [{ n: Number.NaN, customer: "c" }, "GenericFailure", /Failed to convert js number/],
  ])("refuses %j with the error of the official runtime", async (message, code, text) => {
    await expect(topic.publish(message)).rejects.toMatchObject({
      name: "Error",
      code,
      message: expect.stringMatching(text) as string,
    });
  });

  it("can be looked at in tests", async () => {
    clearPublished();
    const id = await topic.publish({ n: 3, customer: "c" });
    await topic.publish({ n: 1 }).catch(() => undefined);
    expect(publishedMessages("orders")).toEqual([{ id, message: { n: 3, customer: "c" } }]);
  });

  it("needs no broker when nobody subscribes, and takes a null ordering attribute", async () => {
    expect(await topic.publish({ n: 1, customer: null })).toMatch(/^[0-9a-v]{20}$/);
  });

  it("fails for a topic that the app does not have", async () => {
    await expect(part.topic("nope").publish({})).rejects.toThrow("failed to publish: topic not configured");
  });
});
