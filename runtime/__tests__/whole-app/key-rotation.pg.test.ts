// Signing keys change every two seconds while clients use three replicas of the app (key-rotation.ts), processes on one native
// database and one Redis. Part of `npm run test:pg` in a short form; the whole, two minutes at 500 requests a second with
// 1,000 sign-outs:
//   GROUNDWORK_ROTATION_SECONDS=120 npm run test:pg -- runtime/__tests__/whole-app/key-rotation.pg.test.ts
// Repeat a run with GROUNDWORK_ROTATION_SEED.
import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AppDB } from "../../../database";
import { masterKeyOfTests } from "../../../security/derived-key";
import { keyRotation, rotationSettings } from "./key-rotation";
import { makeOwnRedis, type OwnRedis } from "./support/own-redis";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const LONG_SECONDS = Number(process.env.GROUNDWORK_ROTATION_SECONDS);
const SECONDS = LONG_SECONDS || 5;
const REPLICAS = 3;
/** The shortest that can be set: with a minute more for each key, fifty are live at a time. */
const TOKEN_SECONDS = 30;

const masterKey = masterKeyOfTests?.() ?? "";
const states = Array.from({ length: REPLICAS }, temporaryStateDir);
let redis: OwnRedis;
let replicas: RunningApp[] = [];

keyRotation({
  baseUrls: () => replicas.map(({ baseUrl }) => baseUrl),
  masterKey,
  tokenSeconds: TOKEN_SECONDS,
  load: {
    seconds: SECONDS,
    perSecond: LONG_SECONDS ? 500 : 250,
    signOuts: Math.round((1_000 * SECONDS) / 120),
    // The whole has nothing else beside it.
    mustBear: LONG_SECONDS > 0,
  },
  seed: Number(process.env.GROUNDWORK_ROTATION_SEED ?? randomInt(2 ** 31)),
});

beforeAll(async () => {
  redis = await makeOwnRedis("key-rotation");
  replicas = await Promise.all(
    states.map(({ path }) =>
      startApp(path, {
        DATABASE_URL: AppDB.connectionString,
        REDIS_URL: redis.url,
        MasterKey: masterKey,
        LIMIT_SCALE: "1000000",
        LOG_LEVEL: "error",
        DB_POOL_MAX: "8",
        ...rotationSettings(TOKEN_SECONDS),
      }),
    ),
  );
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.killTree()));
  await redis?.drop();
  for (const state of states) state.remove();
});

test("the replicas counted in Redis", async () => {
  expect(await redis.keys("*limit:default:anonymousIp:*")).not.toEqual([]);
});
