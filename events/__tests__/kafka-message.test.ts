// What may be one message of Kafka, and one batch. What a message holds is compared with Debezium's in kafka.kafka.test.ts.
import { describe, expect, it } from "vitest";
import { batchesOf, bytesOf, kafkaMessageOf, MESSAGE_BYTES_MAX } from "../kafka/message";
import type { OutboxText } from "../store/outbox";

const row = (change: Partial<OutboxText> = {}): OutboxText => ({
  id: "row",
  eventId: "event",
  tenantId: null,
  aggregateType: "thing",
  aggregateId: "one",
  type: "test.thing.changed",
  version: 1,
  payload: "{}",
  headers: "{}",
  occurredAt: "2026-11-29T00:00:00Z",
  occurredAtMs: "1795910400000",
  ...change,
});

const ofBytes = (bytes: number) =>
  kafkaMessageOf(row({ payload: "x".repeat(bytes - bytesOf(kafkaMessageOf(row())) + 2) }));

describe("a message", () => {
  it("goes to the topic of its aggregate type, keyed by its aggregate, under the event's id", () => {
    const { topic, key, headers } = kafkaMessageOf(row());
    expect([topic, key.toString()]).toEqual(["outbox.event.thing", "one"]);
    expect([...headers].map(([name, value]) => [name.toString(), value?.toString() ?? null])).toEqual([
      ["id", "event"],
      ["type", "test.thing.changed"],
      ["version", "1"],
      ["tenant_id", null],
      ["occurred_at", "2026-11-29T00:00:00Z"],
      ["headers", "{}"],
    ]);
  });

  it.each(["with blank", "ümlaut", "a/b", "x".repeat(240)])(
    "is refused where no topic can be called %s",
    (aggregateType) => {
      expect(() => kafkaMessageOf(row({ aggregateType }))).toThrow(/no topic can have the name of the aggregate type/);
    },
  );

  it("is refused by the first byte too many", () => {
    expect(bytesOf(ofBytes(MESSAGE_BYTES_MAX))).toBe(MESSAGE_BYTES_MAX);
    expect(() => ofBytes(MESSAGE_BYTES_MAX + 1)).toThrow(/1048077 bytes as a Kafka message, more than the 1048076/);
  });
});

describe("batches", () => {
  it("hold what fits, in order", () => {
    const sizes = [MESSAGE_BYTES_MAX, 1_000, MESSAGE_BYTES_MAX - 1_000, 1_000, 500];
    const messages = sizes.map(ofBytes);
    const batches = batchesOf(messages);
    expect(batches.map((batch) => batch.map(bytesOf))).toEqual([
      [sizes[0]],
      [sizes[1], sizes[2]],
      [sizes[3], sizes[4]],
    ]);
    expect(batches.flat()).toEqual(messages);
  });

  it("are none of nothing", () => {
    expect(batchesOf([])).toEqual([]);
  });
});
