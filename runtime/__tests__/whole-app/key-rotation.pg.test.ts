// Signing keys change every two seconds while clients use three replicas of the app, processes on one native database:
// no valid token is refused, by the replicas or by a service that knows only the published key set; none that has expired
// is taken; and nobody who signed out is let in anywhere two seconds later. Part of `npm run test:pg` in a short form; the
// whole, two minutes at 500 requests a second with 1,000 sign-outs:
//   GROUNDWORK_ROTATION_SECONDS=120 npm run test:pg -- runtime/__tests__/whole-app/key-rotation.pg.test.ts
// Repeat a run with GROUNDWORK_ROTATION_SEED.
import { randomInt } from "node:crypto";
import { decodeJwt } from "jose";
import { Pool } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signAccessToken } from "../../../auth/access-token";
import { KeyRing } from "../../../auth/key-ring";
import { createRefreshToken, formatRefreshToken, hashSecret } from "../../../auth/refresh-token";
import { AppDB } from "../../../database";
import { systemQuery } from "../../../db/tenant";
import { masterKeyOfTests } from "../../../security/derived-key";
import { createRandom } from "./support/fuzz/random";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";
import { clientOf, TokenTraffic, type Client } from "./support/token-traffic";

const LONG_SECONDS = Number(process.env.GROUNDWORK_ROTATION_SECONDS);
const SECONDS = LONG_SECONDS || 5;
const PER_SECOND = LONG_SECONDS ? 500 : 250;
const REPLICAS = 3;
const ROTATE_EVERY_MS = 2_000;
const ACTIVE = 40;
const SIGN_OUTS = Math.round((1_000 * SECONDS) / 120);
/** Requests at once: a machine that is behind is not buried under more. */
const AT_ONCE_MAX = 48;
/** The shortest that can be set: with a minute more for each key, fifty are live at a time. */
const TOKEN_SECONDS = 30;
const SET_MAX_AGE_SECONDS = 1;

const seed = Number(process.env.GROUNDWORK_ROTATION_SEED ?? randomInt(2 ** 31));
const masterKey = masterKeyOfTests?.() ?? "";
const settings = { issuer: "groundwork", audience: "groundwork-api", accessTokenSeconds: TOKEN_SECONDS };
const ring = new KeyRing(() => masterKey, {
  signingAlgorithm: "EdDSA",
  accessTokenSeconds: TOKEN_SECONDS,
  jwksMaxAgeSeconds: SET_MAX_AGE_SECONDS,
});
const states = Array.from({ length: REPLICAS }, temporaryStateDir);
let replicas: RunningApp[] = [];
let pools: Pool[] = [];
let rotations = 0;
let rotating: NodeJS.Timeout;
const failedRotations: unknown[] = [];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

beforeAll(async () => {
  await ring.rotate(0);
  // From here on: the first of these keys sign when the replicas have started.
  rotating = setInterval(() => {
    ring.rotate(0).then(
      () => rotations++,
      (error: unknown) => failedRotations.push(error),
    );
  }, ROTATE_EVERY_MS);
  replicas = await Promise.all(
    states.map(({ path }) =>
      startApp(path, {
        DATABASE_URL: AppDB.connectionString,
        MasterKey: masterKey,
        LIMIT_SCALE: "1000000",
        LOG_LEVEL: "error",
        DB_POOL_MAX: "8",
        AUTH_ACCESS_TOKEN_SECONDS: String(TOKEN_SECONDS),
        AUTH_JWKS_MAX_AGE_SECONDS: String(SET_MAX_AGE_SECONDS),
      }),
    ),
  );
  pools = replicas.map(({ baseUrl }) => new Pool(baseUrl, { connections: 24, pipelining: 1 }));
});

afterAll(async () => {
  clearInterval(rotating);
  await Promise.all(pools.map((pool) => pool.close()));
  await Promise.all(replicas.map((replica) => replica.killTree()));
  for (const state of states) state.remove();
});

/** Sessions of one person, written as a sign-in writes them: a thousand sign-ins are a thousand password hashes. */
async function makeClients(count: number): Promise<Client[]> {
  const response = await fetch(`${replicas[0]?.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      email: "ada@rotation.example",
      password: "a passphrase of many words",
      organisation: "Ada",
    }),
  });
  expect(response.status).toBe(200);
  const { user, organisation } = (await response.json()) as { user: { id: string }; organisation: { id: string } };
  const tokens = Array.from({ length: count }, () => createRefreshToken(crypto.randomUUID()));
  await systemQuery(
    "test",
    `insert into auth.session (id, organisation_id, account_id, expires_at, family_hash, secret_hash)
     select id, $1, $2, now() + interval '1 day', family, secret
     from unnest($3::uuid[], $4::bytea[], $5::bytea[]) s (id, family, secret)`,
    [
      organisation.id,
      user.id,
      tokens.map(({ sessionId }) => sessionId),
      tokens.map(({ family }) => hashSecret(family)),
      tokens.map(({ secret }) => hashSecret(secret)),
    ],
  );
  return tokens.map((token) => clientOf(formatRefreshToken(token)));
}

/** A token of a good session, signed by the key whose turn it is, that expired some seconds ago. */
async function expiredToken(like: string, agoSeconds: number): Promise<string> {
  const { sub = "", sid, tenant, rev } = decodeJwt<{ sid: string; tenant: string; rev: number }>(like);
  const madeAt = new Date(Date.now() - (TOKEN_SECONDS + agoSeconds) * 1000);
  const identity = { userID: sub, sessionId: sid, tenantId: tenant, role: "owner" as const };
  return signAccessToken(identity, await ring.signer(), settings, madeAt, { revision: rev });
}

test(
  `keys that change every two seconds under ${PER_SECOND} requests a second for ${SECONDS} s refuse no valid token and take no ended one (GROUNDWORK_ROTATION_SEED=${seed})`,
  async () => {
    const random = createRandom(seed);
    const clients = await makeClients(ACTIVE + SIGN_OUTS);
    const traffic = new TokenTraffic(pools, clients, random, {
      activeClients: ACTIVE,
      setMaxAgeMs: SET_MAX_AGE_SECONDS * 1000,
    });
    const total = SECONDS * PER_SECOND;
    const rotationsBefore = rotations;
    const startedAtMs = performance.now();
    const atOnce = new Set<Promise<void>>();
    let sent = 0;
    const isOver = (): boolean => sent >= total && traffic.done.signedOut === SIGN_OUTS && traffic.isChecked;
    while (!isOver() && traffic.wrong.length < 20) {
      const due = ((performance.now() - startedAtMs) / 1000) * PER_SECOND;
      for (; sent < due && atOnce.size < AT_ONCE_MAX; sent++) {
        // Sign-outs are spread over the whole time.
        const mayEnd = traffic.done.refreshed > ACTIVE && traffic.done.signedOut / SIGN_OUTS < sent / total;
        const step = traffic.step(mayEnd).catch((error: Error) => void traffic.wrong.push(error.message));
        atOnce.add(step);
        void step.finally(() => atOnce.delete(step));
      }
      const like = traffic.anyToken();
      if (like !== undefined && random.chance(0.05))
        traffic.addExpired(await expiredToken(like, random.integer(1, 20)));
      await pause(5);
    }
    await Promise.all(atOnce);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const { done, keyIds } = traffic;
    process.stdout.write(
      `key rotation: ${Math.round(sent / seconds)} requests/s over ${REPLICAS} replicas for ${seconds.toFixed(1)} s, ` +
        `${rotations - rotationsBefore} rotations, ${keyIds.size} keys seen, ${JSON.stringify(done)}, seed ${seed}\n`,
    );
    expect(traffic.wrong, `seed ${seed}`).toEqual([]);
    expect(failedRotations).toEqual([]);
    expect(done.signedOut).toBe(SIGN_OUTS);
    expect(done.withdrawn).toBeGreaterThan(SIGN_OUTS * (REPLICAS - 1));
    expect(keyIds.size).toBeGreaterThanOrEqual(Math.max(2, SECONDS / 4));
    for (const what of ["used", "refreshed", "verified", "expired"] as const) expect(done[what]).toBeGreaterThan(10);
    // What is promised is promised under this load: the whole, which nothing else runs beside, must have borne it.
    if (LONG_SECONDS) expect(sent / seconds, "requests a second").toBeGreaterThan(PER_SECOND * 0.9);
  },
  SECONDS * 5_000 + 60_000,
);
