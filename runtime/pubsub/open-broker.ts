// Which broker an app's topics use: Redis when it is configured, else the first database, else the host's own. BullMQ and its clients, nine
// tenths of the modules that the host would load, are loaded when a broker is first asked for something.
import type { HostConfig } from "../config";
import { defaultTimings, type Broker, type BrokerTimings, type Consumer, type MessageQueue } from "./broker";

const POOL_MAX = 10;

export type BrokerConfig = Pick<HostConfig, "databases" | "hostDatabase" | "redisUrl" | "appId">;

/** The broker that `open` brings, from the first call that needs it. */
class BrokerOnDemand implements Broker {
  readonly #open: () => Promise<Broker>;
  #opening: Promise<Broker> | undefined;
  #opened: Broker | undefined;

  constructor(open: () => Promise<Broker>) {
    this.#open = open;
  }

  async #broker(): Promise<Broker> {
    this.#opening ??= this.#open();
    return (this.#opened = await this.#opening);
  }

  async ready(): Promise<void> {
    await (await this.#broker()).ready();
  }

  async add(...args: Parameters<Broker["add"]>): Promise<void> {
    await (await this.#broker()).add(...args);
  }

  async consume(...args: Parameters<Broker["consume"]>): Promise<Consumer> {
    return (await this.#broker()).consume(...args);
  }

  async queue(name: string): Promise<MessageQueue> {
    return (await this.#broker()).queue(name);
  }

  async queueNames(): Promise<string[]> {
    return (await this.#broker()).queueNames();
  }

  async removeQueue(name: string): Promise<void> {
    await (await this.#broker()).removeQueue(name);
  }

  /** One that is not open has no consumers to tell. */
  wake(queue: string): void {
    this.#opened?.wake(queue);
  }

  async close(): Promise<void> {
    await (await this.#opening)?.close();
  }
}

/** @throws Error naming what is missing when there is neither a database nor Redis */
export function openBroker(config: BrokerConfig, timings: BrokerTimings = defaultTimings): Broker {
  const { redisUrl, appId } = config;
  if (redisUrl)
    return new BrokerOnDemand(async () => {
      const { RedisBroker } = await import("./redis-broker");
      return new RedisBroker(redisUrl, appId ? `groundwork-${appId}` : "groundwork", timings);
    });
  const database = Object.values(config.databases)[0] ?? config.hostDatabase;
  if (!database)
    throw new Error(
      "topics need a store that all processes of the app share: set REDIS_URL, or name redis or sql_servers in the infra config",
    );
  return new BrokerOnDemand(async () => {
    const { PostgresBroker } = await import("./postgres-broker");
    return new PostgresBroker(database.url, POOL_MAX, timings);
  });
}
