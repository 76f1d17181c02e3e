// A database of its own on the native Redis, for a suite that starts whole apps: they count, schedule and claim there.
import { Redis } from "ioredis";

/** Suites of the app's parts use 0, those of queues, events and the claim 7 to 10; two suites may run at once. */
const NUMBERS = { fuzz: 1, "key-rotation": 2, "tenant-attacks": 3, "credential-stuffing": 4 } as const;

export interface OwnRedis {
  /** For REDIS_URL. */
  url: string;
  /** The names that fit a pattern of Redis' own. */
  keys(pattern: string): Promise<string[]>;
  /** Every key with what it holds. */
  contents(): Promise<string>;
  /** Deletes everything in it. */
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

async function contentsOf(redis: Redis): Promise<string> {
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

/** @param suite which of them asks */
export async function makeOwnRedis(suite: keyof typeof NUMBERS): Promise<OwnRedis> {
  const address = process.env.GROUNDWORK_TEST_REDIS_URL;
  if (address === undefined) throw new Error("GROUNDWORK_TEST_REDIS_URL is not set: run npm run test:pg");
  const url = new URL(address);
  url.pathname = `/${NUMBERS[suite]}`;
  const redis = new Redis(url.href);
  await redis.flushdb();
  return {
    url: url.href,
    keys: (pattern) => redis.keys(pattern),
    contents: () => contentsOf(redis),
    drop: async () => {
      await redis.flushdb();
      redis.disconnect();
    },
  };
}
