// What Kafka gets of an event: byte for byte what Debezium's outbox event router makes of the event's row (docs/debezium.md), so
// that one can take the other's place without any consumer noticing: topic by aggregate type, key, value, headers and time.
// The value is the payload as Postgres writes it: numbers keep all their digits, whatever a double would make of them.
// Source: Debezium 3.6, "Outbox Event Router"; SimpleHeaderConverter and StringConverter of Kafka Connect.
import type { OutboxText } from "../store/outbox";

export interface KafkaMessage {
  topic: string;
  key: Buffer;
  value: Buffer;
  /** In this order. Null where the event has none, as the platform's events have no tenant. */
  headers: Map<Buffer, Buffer | null>;
  /** When the event occurred: milliseconds since 1970. */
  timestamp: bigint;
}

/** The destination's name in the outbox. */
export const KAFKA = "kafka";
export const TOPIC_PREFIX = "outbox.event.";
/** Of a record with its headers: Kafka's default for a batch (`max.message.bytes`), less than what the batch itself takes. */
export const MESSAGE_BYTES_MAX = 1_048_588 - 512;

const TOPIC_NAME_MAX = 249;
const LEGAL = new Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

/** @throws Error that says what Kafka cannot take: the row is refused, and its neighbours are not */
export function kafkaMessageOf(row: OutboxText): KafkaMessage {
  const topic = `${TOPIC_PREFIX}${row.aggregateType}`;
  if (topic.length > TOPIC_NAME_MAX || [...topic].some((character) => !LEGAL.has(character)))
    throw new Error(`no topic can have the name of the aggregate type: ${topic}`);
  const header = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text));
  const message: KafkaMessage = {
    topic,
    key: Buffer.from(row.aggregateId),
    value: Buffer.from(row.payload),
    headers: new Map([
      [Buffer.from("id"), header(row.eventId)],
      [Buffer.from("type"), header(row.type)],
      [Buffer.from("version"), header(String(row.version))],
      [Buffer.from("tenant_id"), header(row.tenantId)],
      [Buffer.from("occurred_at"), header(row.occurredAt)],
      [Buffer.from("headers"), header(row.headers)],
    ]),
    timestamp: BigInt(row.occurredAtMs),
  };
  const bytes = bytesOf(message);
  if (bytes > MESSAGE_BYTES_MAX)
    throw new Error(
      `the event has ${bytes} bytes as a Kafka message, more than the ${MESSAGE_BYTES_MAX} that one may have`,
    );
  return message;
}

/** What the message takes in a batch, lengths and deltas counted at their longest. */
export function bytesOf({ key, value, headers }: KafkaMessage): number {
  const fields = [key, value, ...[...headers].flat()];
  return fields.reduce((sum, field) => sum + (field?.length ?? 0) + 5, 21);
}

/** Cuts messages into runs, in order, that fit into one batch whichever partition each is for. */
export function batchesOf(messages: readonly KafkaMessage[]): KafkaMessage[][] {
  const batches: KafkaMessage[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = bytesOf(message);
    if (bytes > room) {
      batches.push([]);
      room = MESSAGE_BYTES_MAX;
    }
    batches.at(-1)?.push(message);
    room -= bytes;
  }
  return batches;
}
