// Which broker an app's topics use: Redis when it is configured, else the first database, else the host's own.
import type { HostConfig } from "../config";
import { defaultTimings, type Broker, type BrokerTimings } from "./broker";
import { PostgresBroker } from "./postgres-broker";
import { RedisBroker } from "./redis-broker";

const POOL_MAX = 10;

export type BrokerConfig = Pick<HostConfig, "databases" | "hostDatabase" | "redisUrl" | "appId">;

/** @throws Error naming what is missing when there is neither a database nor Redis */
export function openBroker(config: BrokerConfig, timings: BrokerTimings = defaultTimings): Broker {
  if (config.redisUrl)
    return new RedisBroker(config.redisUrl, config.appId ? `groundwork-${config.appId}` : "groundwork", timings);
  const database = Object.values(config.databases)[0] ?? config.hostDatabase;
  if (!database)
    throw new Error(
      "topics need a store that all processes of the app share: set REDIS_URL, or name redis or sql_servers in the infra config",
    );
  return new PostgresBroker(database.url, POOL_MAX, timings);
}
