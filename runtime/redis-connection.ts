// Connecting to Redis at the start of a process. ioredis' own `connect()` fails for good when the server goes away while
// it connects, which a server that is just starting does.
import type { Redis } from "ioredis";
import { isBrokerAway } from "./broker-errors";

/**
 * Resolves when `redis`, made with `lazyConnect`, can be used; a server that is away is waited for.
 * @throws Error when it refuses the connection (a wrong password), and after `limitMs`
 */
export function connectRedis(redis: Redis, limitMs: number): Promise<void> {
  if (redis.status === "ready") return Promise.resolve();
  return new Promise((resolve, reject) => {
    let last = new Error("no answer");
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      redis.off("ready", onReady).off("error", onError);
      settle();
    };
    const onReady = (): void => end(resolve);
    const onError = (error: Error): void => {
      last = error;
      if (!isBrokerAway(error)) end(() => reject(error));
    };
    const timer = setTimeout(
      () => end(() => reject(new Error(`Redis does not answer: ${last.message}`, { cause: last }))),
      limitMs,
    );
    redis.on("ready", onReady).on("error", onError);
    if (redis.status === "wait") redis.connect().catch(() => undefined); // told by the events; it goes on by itself
  });
}
