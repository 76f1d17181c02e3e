// What a whole app needs of the native servers to itself: a database, and a database of Redis.
import { Redis } from "ioredis";
import { makeOwnDatabase } from "./own-database";

/** Suites of the app's parts use 0. Only one suite at a time may use this one. */
const REDIS_DATABASE = 1;

export interface OwnServers {
  /** For the app. */
  env: { DATABASE_URL: string; REDIS_URL: string };
  /** Every key of its Redis with what it holds. */
  redisContents(): Promise<string>;
  drop(): Promise<void>;
}

const readers: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  string: (redis, key) => redis.get(key),
  hash: (redis, key) => redis.hgetall(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: (redis, key) => redis.smembers(key),
  zset: (redis, key) => redis.zrange(key, 0, "-1"),
  stream: (redis, key) => redis.xrange(key, "-", "+"),
};

async function contents(redis: Redis): Promise<string> {
  const texts: string[] = [];
  for (const key of await redis.keys("*")) {
    const type = await redis.type(key);
    const read = readers[type];
    // A key may be gone since it was listed.
    if (type === "none") continue;
    if (read === undefined) throw new Error(`${key} is a ${type}: say how it is read`);
    texts.push(`${key} ${JSON.stringify(await read(redis, key))}`);
  }
  return texts.join("\n");
}

/** @param name of the suite. Undefined where no native servers run: the app has its embedded database then, and no Redis. */
export async function makeOwnServers(name: string): Promise<OwnServers | undefined> {
  const address = process.env.GROUNDWORK_TEST_REDIS_URL;
  if (address === undefined) return undefined;
  const url = new URL(address);
  url.pathname = `/${REDIS_DATABASE}`;
  const database = await makeOwnDatabase(name);
  const redis = new Redis(url.href);
  await redis.flushdb();
  return {
    env: { DATABASE_URL: database.url, REDIS_URL: url.href },
    redisContents: () => contents(redis),
    drop: async () => {
      await redis.flushdb();
      redis.disconnect();
      await database.drop();
    },
  };
}
