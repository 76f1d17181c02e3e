// Redis, where jobs, messages and limits are kept in it: what it would throw away, and who may come in.
import { Redis } from "ioredis";
import { connectRedis, leaveRedis } from "../redis-connection";
import { error, type Check, type Finding, warning } from "./finding";

const CONNECT_LIMIT_MS = 5_000;
const LOCAL = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);

async function setting(redis: Redis, name: string): Promise<string | undefined> {
  // A hosted Redis may refuse CONFIG: then its provider answers for it.
  const answer = await redis.config("GET", name).catch(() => []);
  return (answer as string[])[1];
}

async function settings(redis: Redis): Promise<Finding[]> {
  const found: Finding[] = [];
  const policy = await setting(redis, "maxmemory-policy");
  if (policy !== undefined && policy !== "noeviction")
    found.push(
      error(
        "redis_evicts",
        `Redis deletes jobs when its memory is full (maxmemory-policy ${policy})`,
        "Set maxmemory-policy noeviction in redis.conf: writes then fail, and nothing is lost silently.",
      ),
    );
  const [appends, saves] = [await setting(redis, "appendonly"), await setting(redis, "save")];
  if (appends === "no" && saves === "")
    found.push(
      warning(
        "redis_not_durable",
        "Redis keeps nothing on disk: a restart loses the jobs that wait",
        "Set appendonly yes in redis.conf.",
      ),
    );
  return found;
}

function openness(url: string, isProduction: boolean): Finding[] {
  const { hostname, password, protocol } = new URL(url);
  if (!isProduction || LOCAL.has(hostname) || (password !== "" && protocol === "rediss:")) return [];
  const lacks = password === "" ? "has no password" : "is reached without TLS";
  return [
    warning(
      "redis_open",
      `Redis at ${hostname} ${lacks}`,
      "Use rediss://user:password@host in REDIS_URL, or keep the network between them closed to others.",
    ),
  ];
}

export const redis: Check = async ({ redisUrl, isProduction }) => {
  if (redisUrl === undefined) return [];
  if (!URL.canParse(redisUrl))
    return [
      error("redis_unreachable", "REDIS_URL is not an address", "It must look like redis://user:password@host:6379."),
    ];
  const client = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 1, connectTimeout: CONNECT_LIMIT_MS });
  client.on("error", () => undefined);
  try {
    await connectRedis(client, CONNECT_LIMIT_MS);
    return [...openness(redisUrl, isProduction), ...(await settings(client))];
  } catch (failure) {
    const why = failure instanceof Error ? failure.message : String(failure);
    return [
      error(
        "redis_unreachable",
        `Redis at ${new URL(redisUrl).host} cannot be used: ${why}`,
        "Start it, and compare REDIS_URL with its address and password.",
      ),
    ];
  } finally {
    await leaveRedis(client);
  }
};
