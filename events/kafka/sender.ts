// The connection to Kafka: an idempotent producer that waits for all replicas in sync, made when first needed. One request is under
// way at a time, and a producer that failed in any way is thrown away: the client numbers a batch when it is sent and counts
// on when it is answered, so two at once, or the next after one without an answer, would have one number, and the broker
// would drop the second as a repetition of the first. What a producer given up had under way may still arrive, later and
// whole: consumers get some events twice, and the first of each in order.
// Source: KIP-98 (idempotent producer); @platformatic/kafka 1.35, clients/producer.
import { isIP } from "node:net";
import type { Producer } from "@platformatic/kafka";
import type { FrozenConfig } from "../../config/schema";
import { errorText } from "../../telemetry/error-text";
import { untilAborted } from "../../telemetry/time-limit";
import type { KafkaMessage } from "./message";

type Settings = NonNullable<FrozenConfig["events"]["kafka"]>;

const CONNECT_TIMEOUT_MS = 5_000;
/** For one answer, and what the broker grants its replicas: several fit into a hand-over. */
const REQUEST_TIMEOUT_MS = 8_000;
const RETRIES = 3;
const RETRY_DELAY_MS = 200;

/** What a send failed of: the client's own errors say it in the last of many causes. */
class KafkaError extends Error {
  override readonly name = "KafkaError";
  constructor(cause: unknown) {
    const first = firstCause(cause);
    super(first === cause ? errorText(cause) : `${errorText(cause)} ${errorText(first)}`, { cause });
  }
}

function firstCause(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const below: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return below === undefined ? error : firstCause(below);
}

export class KafkaSender {
  private last: Promise<void> = Promise.resolve();
  private producer: Producer | undefined;

  constructor(private readonly settings: Settings) {}

  /** Resolves when all replicas in sync have the messages; rejects when that is not known by then, or `signal` aborts. */
  send(messages: readonly KafkaMessage[], signal: AbortSignal): Promise<void> {
    const turn = this.last.then(() => this.sendNow(messages, signal));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    await this.last;
    await this.producer?.close();
    this.producer = undefined;
  }

  private async sendNow(messages: readonly KafkaMessage[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const producer = (this.producer ??= await this.connect());
    try {
      // Null is a header's value as good as any: the client's types do not say so.
      await untilAborted(() => producer.send({ messages: messages as never }), signal);
    } catch (error) {
      this.producer = undefined;
      // A broker that is silent does not end a connection either: nobody waits for it.
      void producer.close().catch(() => undefined);
      throw signal.aborted ? error : new KafkaError(error);
    }
  }

  private async connect(): Promise<Producer> {
    // Loaded where Kafka is configured only.
    const { compatibilityPartitioner, Producer } = await import("@platformatic/kafka");
    const { brokers, isTls, sasl } = this.settings;
    return new Producer({
      clientId: "groundwork",
      bootstrapBrokers: [...brokers],
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      timeout: REQUEST_TIMEOUT_MS,
      retries: RETRIES,
      retryDelay: RETRY_DELAY_MS,
      idempotent: true,
      autocreateTopics: true,
      // As Java's producers do: a key has one partition, whoever writes it.
      partitioner: compatibilityPartitioner,
      ...(isTls && { tls: {}, tlsServerName: brokers.every(hasName) }),
      ...(sasl && { sasl: { ...sasl } }),
    });
  }
}

/** Whether a broker is called by a name: an address is not what a TLS server is asked for by. */
function hasName(broker: string): boolean {
  const host = broker.slice(0, broker.lastIndexOf(":"));
  return !host.startsWith("[") && isIP(host) === 0;
}
