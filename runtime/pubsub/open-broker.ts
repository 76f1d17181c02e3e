// Which broker an app's topics use: Redis when it is configured, else the first database.
import type { HostConfig } from "../config";
import { defaultTimings, type Broker, type BrokerTimings } from "./broker";
import { PostgresBroker } from "./postgres-broker";
import { RedisBroker } from "./redis-broker";

const POOL_MAX = 10;

export type BrokerConfig = Pick<HostConfig, "databases" | "redisUrl" | "appId">;

/** @throws Error naming what is missing when the app has neither a database nor Redis */
export function openBroker(config: BrokerConfig, timings: BrokerTimings = defaultTimings): Broker {
  if (config.redisUrl)
    return new RedisBroker(config.redisUrl, config.appId ? `groundwork-${config.appId}` : "groundwork", timings);
  const database = Object.values(config.databases)[0];
  if (!database) throw new Error("topics need a broker: declare an SQLDatabase in the app, or set REDIS_URL");
  return new PostgresBroker(database.url, POOL_MAX, timings);
}
