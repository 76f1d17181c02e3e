// Credential stuffing (credential-stuffing.ts): two hundred a second from fifty addresses. Part of `npm run test:pg` in a short
// form, from so few addresses that each is throttled in it too, which counts no time; the whole, a minute, in which a right
// sign-in takes a second at most:
//   GROUNDWORK_STUFFING_SECONDS=60 npm run test:pg -- runtime/__tests__/whole-app/credential-stuffing.pg.test.ts
import { afterAll, beforeAll, expect, test } from "vitest";
import { AppDB } from "../../../database";
import { credentialStuffing, stuffingSettings } from "./credential-stuffing";
import { makeOwnRedis, type OwnRedis } from "./support/own-redis";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const LONG_SECONDS = Number(process.env.GROUNDWORK_STUFFING_SECONDS);
const PER_SECOND = 200;

const state = temporaryStateDir();
let redis: OwnRedis;
let app: RunningApp;

beforeAll(async () => {
  redis = await makeOwnRedis("credential-stuffing");
  app = await startApp(state.path, {
    DATABASE_URL: AppDB.connectionString,
    REDIS_URL: redis.url,
    MasterKey: "the-master-key-of-an-app-that-is-attacked",
    LOG_LEVEL: "warn",
    ...stuffingSettings,
  });
});

afterAll(async () => {
  await app?.stop();
  await redis?.drop();
  state.remove();
});

credentialStuffing({
  baseUrl: () => app.baseUrl,
  attempts: (LONG_SECONDS || 4) * PER_SECOND,
  perSecond: PER_SECOND,
  addresses: LONG_SECONDS ? 50 : 5,
  ...(LONG_SECONDS ? { slowestMsMax: 1_000 } : {}),
  seed: Number(process.env.GROUNDWORK_STUFFING_SEED ?? 20_261_128),
});

test("the addresses were counted in Redis", async () => {
  expect(await redis.keys("*limit:auth:anonymousIp:*")).not.toEqual([]);
});
