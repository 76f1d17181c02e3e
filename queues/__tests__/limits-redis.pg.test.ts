// The same on Redis.
import { vi } from "vitest";

await vi.hoisted(async () => {
  const { Redis } = await import("ioredis");
  const url = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
  url.pathname = "/8";
  process.env.REDIS_URL = url.href;
  const redis = new Redis(url.href);
  await redis.flushdb();
  await redis.quit();
});
await import("./limits-contract");
