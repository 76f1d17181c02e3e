// Cache clusters (contract 9.3): on Redis when it is configured, else in this process. All clusters share one
// store, each under its own name.
import type { Host, Part } from "../host";
import { CacheCluster } from "./cluster";
import { MemoryStore } from "./memory";
import type { Store } from "./store";

/** `shared`: the store of the process, where this is one of its worker threads. */
function openStore(host: Host, shared: Store | undefined): Store {
  const { redisUrl } = host.config;
  if (!redisUrl || host.testMode) return shared ?? new MemoryStore();
  return redisOnDemand(host, redisUrl);
}

/** ioredis is loaded, and the connection opened, when something is first asked of a cache. */
function redisOnDemand(host: Host, url: string): Store {
  let opening: Promise<Store> | undefined;
  const open = async (): Promise<Store> => {
    const { openRedisStore } = await import("./redis-store");
    return openRedisStore(url, ({ message }) => host.log.warn("cache: Redis reported a problem", { error: message }));
  };
  return {
    run: async (commands) => (await (opening ??= open())).run(commands),
    close: async () => (await opening)?.close(),
  };
}

/** Other apps may have clusters of the same names on the same Redis. */
function ownPrefix({ config, testMode }: Host): string {
  return config.redisUrl && !testMode && config.appId ? `groundwork-${config.appId}:` : "";
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
      return new CacheCluster(this.store(), `${ownPrefix(host)}${name}/`);
    },
    start: () => Promise.resolve(),
    async drain() {
      await store?.close();
    },
  };
}
