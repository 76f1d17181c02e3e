// Kafka as a destination of events, beside the topic of the app's own consumers: `emit` writes a row for each (outbox.ts), so
// that each has its own progress, and a Kafka that is away or silent holds up itself only.
import type { FrozenConfig } from "../../config/schema";
import { onShutdown } from "../../telemetry/shutdown";
import { registerDestination, type Destination, type OutboxRow } from "../destinations";
import { outboxTexts } from "../store/outbox";
import { batchesOf, KAFKA, kafkaMessageOf, type KafkaMessage } from "./message";
import { KafkaSender } from "./sender";

/** Rows handed over together at most. */
const BATCH_SIZE = 100;

/** Makes Kafka known to the relays of this process; nothing is connected before there is something to send. */
export function registerKafka(settings: NonNullable<FrozenConfig["events"]["kafka"]>): void {
  const sender = new KafkaSender(settings);
  registerDestination(KAFKA, kafkaDestination(sender));
  onShutdown("kafka", () => sender.close(), "idle");
}

function kafkaDestination(sender: KafkaSender): Destination {
  return {
    batchSize: BATCH_SIZE,
    // They are sent in their order, one request at a time.
    isOrdered: true,
    async publish(rows, signal) {
      for (const batch of batchesOf(await messagesOf(rows))) await sender.send(batch, signal);
    },
  };
}

async function messagesOf(rows: readonly OutboxRow[]): Promise<KafkaMessage[]> {
  const texts = new Map((await outboxTexts(rows.map(({ id }) => id))).map((text) => [text.id, text]));
  return rows.map(({ id }) => {
    const text = texts.get(id);
    if (!text) throw new Error(`the outbox has no row ${id} any more`);
    return kafkaMessageOf(text);
  });
}
