// Topics and subscriptions of one process (contract section 8) on BullMQ. Subscriptions are collected while the
// app's modules load and consumed between `start` and `drain`; publishing works for as long as the process lives.
import type { Host, Part } from "../host";
import { hostedServices } from "../meta";
import type { SubscriptionModel, TopicModel } from "../model";
import { nativeError } from "../native/native-error";
import { PubSubSubscription, PubSubTopic } from "./native-classes";
import type { Broker, BrokerTimings, Consumer } from "./broker";
import { createMessageCodec } from "./codec";
import { concurrencyOf, createConsumer, type Handler } from "./consumer";
import { DeadLetterUpkeep } from "./dead-letter-upkeep";
import { queueName } from "./envelope";
import { openBroker } from "./open-broker";
import { createPublish } from "./publisher";
import { recordPublished } from "./published";
import { consumedHere } from "./wanted-by";

export type { Broker } from "./broker";
export {
  countMessages,
  discardDeadLetters,
  forgetSubscription,
  listDeadLetters,
  listRemoved,
  redrive,
  replay,
  type DeadLetter,
  type SubscriptionCounts,
  type SubscriptionName,
} from "./dead-letters";
export { openBroker } from "./open-broker";
export { clearPublished, publishedMessages, type Published } from "./published";

export interface SubscriptionConfig {
  topicName: string;
  subscriptionName: string;
  handler: (...args: unknown[]) => unknown;
}

export interface PubSubPart extends Part {
  topic(name: string): PubSubTopic;
  subscription(config: SubscriptionConfig): PubSubSubscription;
  /** The broker behind the topics, for the console. */
  broker(): Broker;
  /** Ends the connections to the broker; for tests, where the process lives on. */
  close(): Promise<void>;
}

interface Registration {
  topic: TopicModel;
  subscription: SubscriptionModel;
  /** Several worker threads, or a module evaluated again by a test runner, bring one handler each: the latest counts. */
  handler: Handler;
  consumer?: Promise<Consumer>;
}

const notConfigured = new PubSubTopic(() => Promise.reject(nativeError("failed to publish: topic not configured")));

class PubSub implements PubSubPart {
  readonly name = "pub/sub";
  readonly takesWork = true;
  readonly #host: Host;
  readonly #timings: BrokerTimings | undefined;
  readonly #registrations = new Map<string, Registration>();
  #broker: Broker | undefined;
  #upkeep: DeadLetterUpkeep | undefined;
  #running = false;

  constructor(host: Host, timings: BrokerTimings | undefined) {
    this.#host = host;
    this.#timings = timings;
  }

  broker(): Broker {
    this.#broker ??= openBroker(this.#host.config, this.#timings);
    return this.#broker;
  }

  topic(name: string): PubSubTopic {
    const topic = this.#topicModel(name);
    if (!topic) return notConfigured;
    const publish = createPublish(topic, createMessageCodec(this.#host, topic.message), () => this.broker());
    if (!this.#host.testMode) return new PubSubTopic(publish);
    return new PubSubTopic(async (message, source) => {
      const id = await publish(message, source);
      recordPublished(name, { id, message });
      return id;
    });
  }

  /** One that this process does not host waits for ever (P-4). */
  subscription({ topicName, subscriptionName, handler }: SubscriptionConfig): PubSubSubscription {
    const topic = this.#topicModel(topicName);
    const subscription = topic?.subscriptions.find(({ name }) => name === subscriptionName);
    if (!topic || !subscription || !hostedServices(this.#host).includes(subscription.service))
      return new PubSubSubscription(() => undefined);
    const key = queueName(topicName, subscriptionName);
    const known = this.#registrations.get(key);
    const registration: Registration = known ?? { topic, subscription, handler };
    registration.handler = handler;
    this.#registrations.set(key, registration);
    return new PubSubSubscription(() => {
      if (this.#running) void this.#consume(key, registration);
    });
  }

  async start(): Promise<void> {
    this.#running = true;
    if (this.#registrations.size === 0) return;
    await this.broker().ready();
    await Promise.all([...this.#registrations].map(([key, registration]) => this.#consume(key, registration)));
    this.#upkeep ??= new DeadLetterUpkeep(this.broker(), this.#host.log, this.#timings);
    this.#upkeep.start();
  }

  async drain(): Promise<void> {
    this.#running = false;
    for (const { topic, subscription } of this.#registrations.values())
      consumedHere().delete(`${topic.name} ${subscription.name}`);
    const consumers = [...this.#registrations.values()].map(({ consumer }) => consumer);
    await Promise.all([this.#upkeep?.stop(), ...consumers.map(async (consumer) => (await consumer)?.close())]);
  }

  async close(): Promise<void> {
    await this.drain();
    await this.#broker?.close();
  }

  #topicModel(name: string): TopicModel | undefined {
    return this.#host.model.topics.find((topic) => topic.name === name);
  }

  #consume(key: string, registration: Registration): Promise<Consumer> {
    const { topic, subscription } = registration;
    consumedHere().set(`${topic.name} ${subscription.name}`, concurrencyOf(subscription));
    registration.consumer ??= this.broker().consume(
      key,
      ...this.#processorFor(topic, subscription, (request) => registration.handler(request)),
    );
    return registration.consumer;
  }

  #processorFor(
    topic: TopicModel,
    subscription: SubscriptionModel,
    handler: Handler,
  ): Parameters<Broker["consume"]> extends [string, ...infer Rest] ? Rest : never {
    const { processor, options } = createConsumer({
      topic: topic.name,
      ordered: topic.orderingAttribute !== undefined,
      subscription,
      handler,
      codec: createMessageCodec(this.#host, topic.message),
      log: this.#host.log,
    });
    return [processor, options];
  }
}

/** `timings` are for tests that cannot wait for a broker's ordinary patience. */
export function createPubSub(host: Host, timings?: BrokerTimings): PubSubPart {
  return new PubSub(host, timings);
}
