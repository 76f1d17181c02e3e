// Refreshing with real concurrency: part of `npm run test:pg`. The embedded database has one session and cannot race.
// GROUNDWORK_REFRESH_CLIENTS=1000 is the full form; sessions.test.ts has a short one.
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { connectRedis, Limits } from "../../security/limits";
import { register } from "../registration";
import { purgeEnded } from "../upkeep";
import { newcomer, start } from "./people";
import { refreshRaces } from "./refresh-races";

const prefix = `refresh-${crypto.randomUUID()}:`;
let redis: Redis;

beforeAll(async () => {
  redis = connectRedis(process.env.GROUNDWORK_TEST_REDIS_URL ?? "", prefix);
  if (redis.status !== "ready") await new Promise((resolve) => redis.once("ready", resolve));
});
afterAll(() => redis?.disconnect());

const CLIENTS = Number(process.env.GROUNDWORK_REFRESH_CLIENTS ?? 300);

refreshRaces({
  clients: CLIENTS,
  sessions: 2 * CLIENTS,
  clientsAtOnce: 25,
  limits: () => new Limits({ scale: 1, redis }),
});

test("the office was counted in Redis", async () => {
  expect(await redis.keys(`${prefix}limit:refresh:anonymousIp:*`)).toHaveLength(1);
});

describe("upkeep", () => {
  // Sign-in costs 40 ms of a core: fifty a second from two cores, 180,000 an hour, at the very most. An hour of
  // upkeep has ten minutes; at ten times that rate it must remove 3,000 a second. How fast a machine is, no test says.
  test("one run removes fifty thousand sessions that ended, and prints how fast", async () => {
    const { organisation, user } = await register(newcomer(), start);
    await systemQuery(
      "test",
      `insert into auth.session (id, organisation_id, account_id, created_at, expires_at, family_hash, secret_hash)
       select gen_random_uuid(), $1, $2, now() - interval '40 days', now() - interval '8 days', sha256('f'), sha256('s')
       from generate_series(1, 50000)`,
      [organisation.id, user.id],
      { statementTimeoutMs: 240_000 },
    );
    const startedAtMs = performance.now();
    expect((await purgeEnded()).sessions).toBe(50_000);
    process.stdout.write(
      `upkeep of sessions: ${Math.round(50_000 / ((performance.now() - startedAtMs) / 1000))} rows/s, 3,000 are needed at ten times the most that anybody can sign in\n`,
    );
  });
});
