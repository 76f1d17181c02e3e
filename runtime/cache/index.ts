// Cache clusters (contract 9.3): on Redis when it is configured, else in this process. All clusters share one
// store, each under its own name.
import { Redis } from "ioredis";
import type { Host, Part } from "../host";
import { CacheCluster } from "./cluster";
import { MemoryStore } from "./memory";
import { RedisStore } from "./redis-store";
import type { Store } from "./store";

/** `shared`: the store of the process, where this is one of its worker threads. */
function openStore(host: Host, shared: Store | undefined): Store {
  const { redisUrl } = host.config;
  if (!redisUrl || host.testMode) return shared ?? new MemoryStore();
  // A Redis that accepts and says nothing is an error for who asks, as one that is away.
  const limits = { commandTimeout: 5_000, socketTimeout: 10_000 };
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 3, stringNumbers: true, ...limits });
  redis.on("error", (error: Error) => host.log.warn("cache: Redis reported a problem", { error: error.message }));
  return new RedisStore(redis);
}

export interface Caches extends Part {
  cluster(name: string): CacheCluster;
  /** The store behind all clusters, for the threads that share it. */
  store(): Store;
}

export function createCaches(host: Host, shared?: Store): Caches {
  let store: Store | undefined;
  return {
    name: "caches",
    store: () => (store ??= openStore(host, shared)),
    cluster(name) {
      return new CacheCluster(this.store(), `${name}/`);
    },
    start: () => Promise.resolve(),
    async drain() {
      await store?.close();
    },
  };
}
