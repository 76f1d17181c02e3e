// Connecting to Redis at the start of a process, and leaving it. ioredis' own `connect()` fails for good when the server goes away while
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

/** Longest wait for the answers that are under way. */
const GOODBYE_LIMIT_MS = 2_000;

/** Ends a connection after its last answer; one that is not up, or silent, at once. */
export async function leaveRedis(redis: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  if (redis.status === "ready") {
    const late = new Promise((resolve) => (timer = setTimeout(resolve, GOODBYE_LIMIT_MS)));
    await Promise.race([redis.quit().catch(() => undefined), late]);
    clearTimeout(timer);
  }
  redis.disconnect();
}
