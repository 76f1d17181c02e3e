// A consumer that is paused and resumed all the time, by whom its processes do not hear, under two relays and a topic that
// delivers again, and that is away now and then: each event acts once, in the order of its aggregate. Needs real concurrency, so native Postgres only.
//   GROUNDWORK_HOLD_EVENTS=50000 npm run test:pg -- events/__tests__/holds.pg.test.ts
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { randomFrom } from "../../security/__tests__/random";
import { consumer, localConsumers } from "../consumer";
import { declarations, READ_EVERY_MS } from "../declarations";
import { registerDestination } from "../destinations";
import { DirectDelivery } from "../direct-delivery";
import { moveHeldOn } from "../hold-release";
import { appendToOutbox } from "../outbox";
import { createRelay } from "../relay";
import { holdDelete, holdInsert } from "../store/hold";
import { eventIdOf, messageOf, type DomainEvent } from "../topic";
import { rowsOf, tenant, type Registered } from "./direct-stage";
import { ANY } from "./held-stage";

const EVENTS = Number(process.env.GROUNDWORK_HOLD_EVENTS ?? 500);
const AGGREGATES = 30;
const seed = Number(process.env.GROUNDWORK_HOLD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = randomFrom(seed);
const TIMES = { waitMs: 600_000, budgetMs: 600_000, limitMs: 600_000, restMs: 0 };

/** Delivers the messages of an aggregate one after the other, each until it is acknowledged; sometimes twice. */
function topicOf(handle: (message: DomainEvent) => Promise<void>) {
  const lanes = new Map<string, Promise<void>>();
  const deliver = async (message: DomainEvent): Promise<void> => {
    for (;;) {
      const isDone = await handle(message).then(
        () => true,
        () => false,
      );
      if (isDone && random() > 0.1) return;
      await sleep(random() * 5);
    }
  };
  return {
    publish(message: DomainEvent): void {
      const before = lanes.get(message.aggregateId) ?? Promise.resolve();
      lanes.set(
        message.aggregateId,
        before.then(() => deliver(message)),
      );
    },
    idle: async (): Promise<void> => void (await Promise.all(lanes.values())),
  };
}

it(
  `acts once on each of ${EVENTS} events, in order, however often it is held (seed ${seed})`,
  async () => {
    const tenantId = tenant();
    const name = `held-${newId()}`;
    const seen: string[] = [];
    const failing = new Map<string, number>();
    const handle = consumer(
      name,
      {
        "auth.user.registered@1": async (tx, { payload: { organisationName: what } }) => {
          await tx.query("select 1");
          const failures = failing.get(what) ?? 0;
          if (failures < 2 && random() < 0.05) {
            failing.set(what, failures + 1);
            throw new Error("not this time");
          }
          tx.afterCommit(() => void seen.push(what));
        },
      },
      { deliveryAttempt: () => 1 },
    );
    const consumed = ((globalThis as { [key: symbol]: unknown })[Symbol.for("groundwork.consumed-here")] ??= new Map<
      string,
      number
    >()) as Map<string, number>;
    consumed.set(`domain-events ${name}`, 4);
    onTestFinished(() => {
      consumed.delete(`domain-events ${name}`);
      localConsumers.delete(name);
    });
    await declarations.refresh();
    const renewing = setInterval(() => void declarations.refresh().catch(() => undefined), READ_EVERY_MS);
    onTestFinished(() => clearInterval(renewing));
    const topic = topicOf(handle);
    // Two replicas, of which each has a memory of its own.
    const replicas = [new DirectDelivery(TIMES), new DirectDelivery(TIMES)];
    let turn = 0;
    registerDestination(name, {
      batchSize: 20,
      isOrdered: true,
      publish: async (rows) => {
        const replica = replicas[turn++ % 2]!;
        // By the topic now and then, for nothing but chance.
        replica.turn(random() < 0.7);
        await replica.before(rows, async () => {
          if (random() < 0.05) throw new Error("the topic is away");
          for (const row of rows) if (!replica.hasHad(name, eventIdOf(row))) topic.publish(messageOf(row));
        });
      },
    });
    const relays = [1, 2].map(() =>
      createRelay({ destinations: [name], batch: 20, pollMs: 5, backoff: { firstMs: 1, maxMs: 5 } }),
    );
    for (const relay of relays) relay.start();

    let isOver = false;
    // Told to nobody: what a process knows may be a second old.
    const hold = { consumer: name, cause: "pause" as const, reason: "r", actor: "test" };
    const pausing = (async () => {
      while (!isOver) {
        await withSystem("test", (tx) => holdInsert(tx, hold));
        await sleep(random() * 60);
        await withSystem("test", (tx) => holdDelete(tx, name, "pause"));
        await sleep(random() * 60);
      }
    })();
    const releasing = (async () => {
      while (!isOver) {
        await moveHeldOn(ANY);
        await sleep(random() * 10);
      }
    })();
    const next = new Map<string, number>();
    for (let n = 0; n < EVENTS; n++) {
      const aggregateId = `a${Math.floor(random() * AGGREGATES)}`;
      const number = (next.get(aggregateId) ?? 0) + 1;
      next.set(aggregateId, number);
      const payload: Registered = {
        userId: newId(),
        organisationId: tenantId,
        organisationName: `${aggregateId} ${number}`,
      };
      const about = { aggregateType: "user", aggregateId, type: "auth.user.registered", version: 1, headers: {} };
      await withTenant({ tenantId }, (tx) =>
        appendToOutbox(tx, { id: newId(), destination: name, tenantId, payload, ...about }),
      );
    }
    const waiting =
      "select (select count(*) from events.held where consumer = $1)::int + (select count(*) from events.outbox where destination = $1 and published_at is null)::int as n";
    await expect.poll(() => seen.length, { timeout: 240_000 + EVENTS * 10 }).toBeGreaterThanOrEqual(EVENTS);
    isOver = true;
    await Promise.all([pausing, releasing]);
    for (;;) {
      await topic.idle();
      if (!(await moveHeldOn(ANY)) && (await rowsOf(name, waiting)) === 0) break;
      await sleep(5);
    }
    await topic.idle();
    await Promise.all(relays.map((relay) => relay.stop()));

    const perAggregate = new Map<string, number[]>();
    for (const what of seen) {
      const [aggregateId = "", number] = what.split(" ");
      perAggregate.set(aggregateId, [...(perAggregate.get(aggregateId) ?? []), Number(number)]);
    }
    const wrong = [...perAggregate]
      .map(([aggregateId, numbers]) => `${aggregateId}: ${numbers.join(" ")}`)
      .filter((_, at) => [...perAggregate.values()][at]?.some((number, index) => number !== index + 1));
    const held = await systemQuery<{ n: number }>(
      "test",
      "select count(*)::int as n from events.outbox where destination = $1 and headers ? 'held-position'",
      [name],
    );
    process.stdout.write(`held and released: ${held[0]?.n}, of ${EVENTS} events\n`);
    expect([seen.length, wrong]).toEqual([EVENTS, []]);
    expect(await rowsOf(name, "select count(*)::int as n from events.dead_letter where consumer = $1")).toBe(0);
    expect(held[0]?.n).toBeGreaterThan(0);
  },
  120_000 + EVENTS * 20,
);
