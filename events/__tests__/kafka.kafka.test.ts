// Events in a real Kafka: by the relay, and by Debezium in its place. The broker is killed and stopped in between.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { cfg } from "../../config";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { randomFrom } from "../../security/__tests__/random";
import { tenantIdFrom } from "../../security/principal";
import { defineEvent } from "../event";
import { registerKafka } from "../kafka/destination";
import { KafkaSender } from "../kafka/sender";
import { emit } from "../outbox";
import { createRelay, type Relay, type RelayOptions } from "../relay";
import { jsonValue, type Json } from "./json-values";
import { broker, idOf, readTopics, startDebezium, type Lying } from "./kafka-stage";

const seed = Number(process.env.GROUNDWORK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = randomFrom(seed);
const tenantId = tenantIdFrom(newId());
const happened = defineEvent({ type: "scale.thing.happened", version: 3, payload: z.unknown() });
const kafka = cfg.events.kafka;
if (kafka === undefined) throw new Error("KAFKA_URL is not set: run npm run test:kafka");

registerKafka(kafka);

/** An aggregate type nobody else has, and so a topic of its own. */
const newType = (): string => `t-${newId()}`;

const emitOne = (aggregateType: string, aggregateId: string, payload: unknown): Promise<string> =>
  withTenant({ tenantId }, (tx) => emit(tx, happened, payload, { aggregateType, aggregateId }));

const emitOfPlatform = (aggregateType: string, aggregateId: string, payload: unknown): Promise<string> =>
  withSystem("test", (tx) => emit(tx, happened, payload, { aggregateType, aggregateId, tenantId: null }));

function startRelay(options: RelayOptions = {}): Relay {
  const relay = createRelay({
    destinations: ["kafka"],
    batch: 20,
    pollMs: 20,
    leaseMs: 5_000,
    backoff: { firstMs: 20, maxMs: 200 },
    // At this pace the broker's absence would use up the attempts of a row.
    maxAttempts: 1_000_000,
    random,
    ...options,
  });
  relay.start();
  return relay;
}

/** How many rows for the destination have a status. */
async function countOf(destination: string, aggregateType: string, status: string): Promise<number> {
  const rows = await systemQuery(
    "test",
    "select from events.outbox where destination = $1 and aggregate_type = $2 and status = $3",
    [destination, aggregateType, status],
  );
  return rows.length;
}

const untilSent = (aggregateType: string, count: number, destination = "kafka") =>
  expect.poll(() => countOf(destination, aggregateType, "SENT")).toBe(count);

/** The ids of each key's messages in their order, repetitions left out. */
function firstsByKey(messages: readonly Lying[]): Record<string, string[]> {
  const ids = new Map<string, Set<string>>();
  for (const message of messages) ids.set(message.key, (ids.get(message.key) ?? new Set()).add(idOf(message)));
  return Object.fromEntries([...ids].map(([key, known]) => [key, [...known]]));
}

/** What relay and Debezium have in common; the offset is the broker's, and the time is when Debezium read it. */
const comparableOf = ({ partition, key, value, headers }: Lying) => ({ partition, key, value, headers });

/** Ids of what was emitted, by aggregate. */
type Emitted = Record<string, string[]>;

async function emitSome(aggregateType: string, count: number, emitted: Emitted): Promise<void> {
  for (let n = 0; n < count; n++) {
    const aggregateId = `a-${Math.floor(random() * 10)}`;
    (emitted[aggregateId] ??= []).push(await emitOne(aggregateType, aggregateId, { n }));
  }
}

describe(`relay and Debezium (seed ${seed})`, () => {
  const DEBEZIUM = "debezium.event.";
  let debezium: Awaited<ReturnType<typeof startDebezium>> | undefined;
  beforeAll(async () => {
    debezium = await startDebezium(DEBEZIUM);
  });
  afterAll(() => debezium?.stop());

  it("send the same of an event: key, value, headers and partition", async () => {
    const type = newType();
    const aggregates = [newId(), newId(), "", "with blank, ü and 👍", "k".repeat(300)];
    const payloads: Json[] = [null, "", 1e21, true, [], {}, ...Array.from({ length: 90 }, () => jsonValue(random))];
    for (const [n, payload] of payloads.entries())
      await (n % 7 === 0 ? emitOfPlatform : emitOne)(type, aggregates[n % aggregates.length] ?? "", payload);
    const relay = startRelay();
    await untilSent(type, payloads.length);
    await relay.stop();
    const comparable = async (topic: string): Promise<Map<string, ReturnType<typeof comparableOf>>> => {
      const messages = await readTopics([topic], payloads.length);
      return new Map(messages.map((message) => [idOf(message), comparableOf(message)]));
    };
    const byRelay = await comparable(`outbox.event.${type}`);
    const byDebezium = await comparable(`${DEBEZIUM}${type}`);
    expect(byRelay.size).toBe(payloads.length);
    for (const [id, message] of byDebezium) expect(byRelay.get(id)).toEqual(message);
    expect(new Set([...byRelay.values()].map(({ partition }) => partition)).size).toBeGreaterThan(1);
  });
});

describe(`Kafka (seed ${seed})`, () => {
  it("has every event and the order of each aggregate after the broker was killed twice", async () => {
    const type = newType();
    const emitted: Emitted = {};
    const relay = startRelay();
    await emitSome(type, 100, emitted);
    for (let kill = 0; kill < 2; kill++) {
      await expect.poll(() => countOf("kafka", type, "SENT")).toBeGreaterThan(kill * 100);
      const back = broker("crash");
      await emitSome(type, 100, emitted);
      await back;
    }
    await untilSent(type, 300);
    await relay.stop();
    const found = await readTopics([`outbox.event.${type}`], 300);
    expect(firstsByKey(found)).toEqual(emitted);
    const occurredAt = ({ headers }: Lying) => Date.parse(headers.find(([name]) => name === "occurred_at")?.[1] ?? "");
    for (const message of found) expect(Number(message.timestamp)).toBe(occurredAt(message));
  });

  it("holds up its own destination only while it is silent, and gets everything afterwards", async () => {
    const type = newType();
    const emitted: Emitted = {};
    const relay = startRelay({ destinations: ["kafka", "event"], leaseMs: 2_000 });
    await emitSome(type, 20, emitted);
    await untilSent(type, 20);
    await broker("pause");
    try {
      await emitSome(type, 60, emitted);
      await untilSent(type, 80, "event");
      await expect.poll(() => countOf("kafka", type, "FAILED")).toBeGreaterThan(0);
      expect(await countOf("kafka", type, "SENT")).toBe(20);
    } finally {
      await broker("continue");
    }
    await untilSent(type, 80);
    await relay.stop();
    expect(firstsByKey(await readTopics([`outbox.event.${type}`], 80))).toEqual(emitted);
  });

  it("is not asked for what no message may be: it becomes a dead letter, and its aggregate goes on", async () => {
    const type = newType();
    // Six characters of JSON each, and three hundred digits in Postgres.
    const big = await emitOne(
      type,
      "one",
      Array.from({ length: 10_000 }, () => 1e300),
    );
    const next = await emitOne(type, "one", { n: 2 });
    const other = await emitOne(type, "two", { n: 3 });
    const relay = startRelay({ maxAttempts: 2, backoff: { firstMs: 0, maxMs: 0 } });
    await untilSent(type, 2);
    await relay.stop();
    const letters = await systemQuery(
      "test",
      "select consumer, event_id, error from events.dead_letter where event_id = $1",
      [big],
    );
    expect(letters).toEqual([
      {
        consumer: "relay:kafka",
        event_id: big,
        error: expect.stringMatching(/bytes as a Kafka message, more than/) as string,
      },
    ]);
    expect(firstsByKey(await readTopics([`outbox.event.${type}`], 2))).toEqual({ one: [next], two: [other] });
  });

  it("takes nothing from somebody with a wrong password", async () => {
    const sender = new KafkaSender({
      ...kafka,
      sasl: { mechanism: "SCRAM-SHA-512", username: "groundwork", password: "guessed" },
    });
    const message = {
      topic: newType(),
      key: Buffer.from("k"),
      value: Buffer.from("v"),
      headers: new Map(),
      timestamp: 0n,
    };
    await expect(sender.send([message], new AbortController().signal)).rejects.toThrow(/SASL authentication failed/);
    await sender.close();
  });
});
