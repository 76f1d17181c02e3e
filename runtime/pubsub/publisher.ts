// Publishing (contract 8.2): one id, one queue per subscription, resolved when the broker has them all.
import type { TopicModel } from "../model";
import { nativeError } from "../native/native-error";
import type { Request } from "../native/request";
import { whileAway } from "../broker-errors";
import type { Broker } from "./broker";
import type { MessageCodec } from "./codec";
import { queueName, type Envelope } from "./envelope";
import { newMessageId } from "./ids";
import { wantedBy, wantedElsewhere } from "./wanted-by";

const PUBLISH_LIMIT_MS = 15_000;

const failed = (reason: string): Error => nativeError(`failed to publish: ${reason}`);

/** `Attribute` fields by the name they travel under (P-10). */
function attributesOf(topic: TopicModel, fields: Record<string, unknown>): Record<string, string> {
  const message = topic.message;
  if (message.kind !== "struct") return {};
  const attributes: Record<string, string> = {};
  for (const field of message.fields) {
    const name = field.tags?.find((tag) => tag.key === "pubsub-attr")?.name;
    const value = fields[field.name];
    if (name !== undefined && value !== undefined && value !== null) attributes[name] = String(value);
  }
  return attributes;
}

/** P-11; a null attribute is present but orders nothing. */
function orderingKeyOf(topic: TopicModel, fields: Record<string, unknown>): string | undefined {
  const name = topic.orderingAttribute;
  if (!name) return undefined;
  const value = fields[name];
  if (value === undefined) throw failed(`ordering attribute ${name} not found`);
  return value === null ? undefined : String(value);
}

/** An envelope at once, or later for a message of very many parts: what orders it is read at once all the same. */
function envelopeFor(
  topic: TopicModel,
  codec: MessageCodec,
  message: unknown,
  source: Request | null,
): Envelope | Promise<Envelope> {
  const body = codec.encodeSoon(message);
  const rest = (): Omit<Envelope, "body"> => headOf(topic, message as Record<string, unknown>, source); // encoded, hence an object
  if (typeof body === "string") return { body, ...rest() };
  return Promise.all([body, (async () => rest())()]).then(([text, head]) => ({ body: text, ...head }));
}

function headOf(topic: TopicModel, fields: Record<string, unknown>, source: Request | null): Omit<Envelope, "body"> {
  const attributes = attributesOf(topic, fields);
  const orderingKey = orderingKeyOf(topic, fields);
  const trace = source?.meta().trace;
  return {
    id: newMessageId(),
    publishedAt: Date.now(),
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
    ...(orderingKey === undefined ? {} : { orderingKey }),
    ...(trace ? { parentTraceId: trace.traceId, parentSpanId: trace.spanId } : {}),
    ...(trace?.extCorrelationId ? { correlationId: trace.extCorrelationId } : {}),
  };
}

function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const reason = `the broker did not answer within ${limitMs} ms. On the embedded database this happens when a message is published inside an open transaction of the same process: publish after it`;
    timer = setTimeout(() => reject(failed(reason)), limitMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export type Publish = (message: unknown, source: Request | null) => Promise<string>;

/** Lets what is ordered go on in the order in which it came, however long each takes to be ready. */
function inOrder(): <T>(ready: T | Promise<T>, handOver: (value: T) => Promise<void>) => Promise<void> {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return (ready, handOver) => {
    if (waiting === 0 && !(ready instanceof Promise)) return handOver(ready);
    waiting++;
    // In a list: what comes next waits until this was handed over, not until the broker has answered.
    const started = Promise.all([ready, last]).then(([value]) => [handOver(value)]);
    last = started.then(
      () => waiting--,
      () => waiting--,
    );
    return started.then(([handed]) => handed);
  };
}

/**
 * Publishing to `topic`; resolves with the message id once the queue of every subscription that wants it holds the message.
 * A broker that is away is tried again under the same id, so that no queue gets the message twice.
 */
export function createPublish(topic: TopicModel, codec: MessageCodec, broker: () => Broker): Publish {
  const names = topic.subscriptions.map((subscription) => subscription.name);
  const handOver = topic.orderingAttribute ? inOrder() : undefined;
  return async (message, source) => {
    const wanted = new Set([...wantedBy(topic.name, names, message), ...wantedElsewhere(topic.name, message)]);
    const queues = [...wanted].map((name) => queueName(topic.name, name));
    // The app has said that nobody wants it: nothing to write down.
    if (queues.length === 0 && names.length > 0) return newMessageId();
    const envelope = envelopeFor(topic, codec, message, source);
    const add = (ready: Envelope): Promise<void> =>
      within(
        whileAway(() => broker().add(queues, ready), PUBLISH_LIMIT_MS),
        PUBLISH_LIMIT_MS,
      );
    if (queues.length > 0) await (handOver ? handOver(envelope, add) : add(await envelope));
    return (await envelope).id;
  };
}
