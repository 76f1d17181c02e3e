// One installation for each database number of a Redis: jobs, topics, crons, buses and limits of two that share one would be each
// other's. So the first one leaves its name there, and another is refused when it starts.
import { Redis } from "ioredis";
import { logger } from "../telemetry/logger";
import { DbError } from "./errors";

const ANSWER_MS = 5_000;

export interface RedisClaim {
  url: string;
  /** As in encore.app: other apps have keys of their own. */
  appId: string;
  /** The name of this installation (`db.installation()`). */
  installation: string;
}

export const claimKeyOf = (appId: string): string => `groundwork:installation:${appId}`;

/**
 * Claims the Redis for this installation; doing it again changes nothing.
 * @throws DbError `misuse` when another one has it, `unavailable` when Redis does not answer
 */
export async function claimRedis({ url, appId, installation }: RedisClaim): Promise<void> {
  const key = claimKeyOf(appId);
  const owner = await ask(url, async (redis) => {
    await redis.set(key, installation, "NX");
    return redis.get(key);
  });
  if (owner === installation) return;
  if (owner === null) throw new DbError("unavailable", "the Redis was given free at the same moment");
  const number = new URL(url).pathname.slice(1) || "0";
  throw new DbError(
    "misuse",
    `database ${number} of the Redis in REDIS_URL belongs to another installation of ${appId || "this app"}, which would take this one's jobs, events and crons. ` +
      `Give this one a number of its own (redis://host:6379/1) or another id in encore.app. If the other one is gone, or is this one before its database moved: redis-cli -n ${number} DEL ${key}`,
  );
}

async function ask<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
  });
  redis.on("error", (err: Error) => logger("db").debug({ err }, "Redis cannot be asked whose it is"));
  try {
    await redis.connect();
    return await work(redis);
  } catch (cause) {
    throw new DbError("unavailable", "Redis does not say whose it is", { cause });
  } finally {
    redis.disconnect();
  }
}
