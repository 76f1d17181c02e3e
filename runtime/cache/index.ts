// Cache clusters (contract 9.3): on Redis when it is configured, else in this process. All clusters share one
// store, each under its own name.
import { Redis } from "ioredis";
import type { Host, Part } from "../host";
import { CacheCluster } from "./cluster";
import { MemoryStore } from "./memory";
import { RedisStore } from "./redis-store";
import type { Store } from "./store";

function openStore(host: Host): Store {
  const { redisUrl } = host.config;
  if (!redisUrl || host.testMode) return new MemoryStore();
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 3 });
  redis.on("error", (error: Error) => host.log.warn("cache: Redis reported a problem", { error: error.message }));
  return new RedisStore(redis);
}

export function createCaches(host: Host): Part & { cluster(name: string): CacheCluster } {
  let store: Store | undefined;
  return {
    name: "caches",
    cluster(name) {
      store ??= openStore(host);
      return new CacheCluster(store, `${name}/`);
    },
    start: () => Promise.resolve(),
    async drain() {
      await store?.close();
    },
  };
}
