// Part of key-rotation.pg.test.ts (the short form of `npm test` is key-changes.ts): signing keys change every two seconds while clients
// use the app. No valid token is refused, by the replicas or by a service that knows only the published key set; none that has
// expired is taken; and nobody who signed out is let in anywhere two seconds later.
import { decodeJwt } from "jose";
import { Pool } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signAccessToken, type SigningKey, type TokenSettings } from "../../../auth/access-token";
import { KeyRing } from "../../../auth/key-ring";
import { createRefreshToken, formatRefreshToken, hashSecret } from "../../../auth/refresh-token";
import { systemQuery } from "../../../db/tenant";
import { createRandom } from "./support/fuzz/random";
import { clientOf, TokenTraffic, type Client } from "./support/token-traffic";

const ROTATE_EVERY_MS = 2_000;
const ACTIVE = 40;
/** Requests at once: a machine that is behind is not buried under more. */
const AT_ONCE_MAX = 48;
const SET_MAX_AGE_SECONDS = 1;
/** A request that is not answered is told of, and does not keep the run from its end. */
const REQUEST_MS_MAX = 20_000;
const poolSettings = { connections: 24, pipelining: 1, headersTimeout: REQUEST_MS_MAX, bodyTimeout: REQUEST_MS_MAX };
/** Each is to be done more than a few times. */
const WHAT = ["used", "refreshed", "verified", "expired"] as const;

/** What the replicas are to be started with. */
export const rotationSettings = (tokenSeconds: number): Record<string, string> => ({
  AUTH_ACCESS_TOKEN_SECONDS: String(tokenSeconds),
  AUTH_JWKS_MAX_AGE_SECONDS: String(SET_MAX_AGE_SECONDS),
});

export interface RotationLoad {
  seconds: number;
  perSecond: number;
  signOuts: number;
  /** What is promised is promised under this load: it must have been borne. */
  mustBear: boolean;
}

interface Rotation {
  /** Of the replicas. */
  baseUrls: () => string[];
  masterKey: string;
  tokenSeconds: number;
  load: RotationLoad;
  seed: number;
}

/** Keys begin to change before the app starts, if this comes before its `beforeAll`: the first of them sign when it has. */
export function keyRotation({ baseUrls, masterKey, tokenSeconds, load, seed }: Rotation): void {
  const settings = { issuer: "groundwork", audience: "groundwork-api", accessTokenSeconds: tokenSeconds };
  const ring = new KeyRing(() => masterKey, {
    signingAlgorithm: "EdDSA",
    accessTokenSeconds: tokenSeconds,
    jwksMaxAgeSeconds: SET_MAX_AGE_SECONDS,
  });
  let rotations = 0;
  let rotating: NodeJS.Timeout;
  const failedRotations: unknown[] = [];

  beforeAll(async () => {
    await ring.rotate(0);
    rotating = setInterval(() => {
      ring.rotate(0).then(
        () => rotations++,
        (error: unknown) => failedRotations.push(error),
      );
    }, ROTATE_EVERY_MS);
  });
  afterAll(() => clearInterval(rotating));

  const { seconds, perSecond, signOuts } = load;
  test(
    `keys that change every two seconds under ${perSecond} requests a second for ${seconds} s refuse no valid token and take no ended one (GROUNDWORK_ROTATION_SEED=${seed})`,
    async () => {
      const random = createRandom(seed);
      const addresses = baseUrls();
      const pools = addresses.map((address) => new Pool(address, poolSettings));
      const clients = await makeClients(addresses[0] ?? "", ACTIVE + signOuts);
      const traffic = new TokenTraffic(pools, clients, random, {
        activeClients: ACTIVE,
        setMaxAgeMs: SET_MAX_AGE_SECONDS * 1000,
      });
      const total = seconds * perSecond;
      // The figures then say what never came.
      const giveUpMs = seconds * 4_000 + 40_000;
      const keysMin = Math.max(2, seconds / 4);
      const rotationsBefore = rotations;
      const startedAtMs = performance.now();
      const atOnce = new Set<Promise<void>>();
      let sent = 0;
      // However slow the machine is, it has seen what it is about.
      const hasSeen = (): boolean => WHAT.every((what) => traffic.done[what] > 10) && traffic.keyIds.size >= keysMin;
      const isOver = (): boolean =>
        performance.now() - startedAtMs > giveUpMs ||
        (sent >= total && traffic.done.signedOut === signOuts && traffic.isChecked && hasSeen());
      while (!isOver() && traffic.wrong.length < 20) {
        const toSend = ((performance.now() - startedAtMs) / 1000) * perSecond;
        for (; sent < toSend && atOnce.size < AT_ONCE_MAX; sent++) {
          // Sign-outs are spread over the whole time; who goes on for longer, until it has seen all, has nobody left to sign out.
          const due = signOuts * Math.min(1, sent / total);
          const mayEnd = traffic.done.refreshed > ACTIVE && traffic.done.signedOut < due;
          const step = traffic.step(mayEnd).catch((error: Error) => void traffic.wrong.push(error.message));
          atOnce.add(step);
          void step.finally(() => atOnce.delete(step));
        }
        const like = traffic.anyToken();
        if (like !== undefined && random.chance(0.05))
          traffic.addExpired(await expiredLike(like, await ring.signer(), settings, random.integer(1, 20)));
        await pause(5);
      }
      await Promise.all(atOnce);
      await Promise.all(pools.map((pool) => pool.close()));
      const tookSeconds = (performance.now() - startedAtMs) / 1000;
      const { done, keyIds } = traffic;
      process.stdout.write(
        `key rotation: ${Math.round(sent / tookSeconds)} requests/s over ${pools.length} replicas for ${tookSeconds.toFixed(1)} s, ` +
          `${rotations - rotationsBefore} rotations, ${keyIds.size} keys seen, ${JSON.stringify(done)}, seed ${seed}\n`,
      );
      expect(traffic.wrong, `seed ${seed}`).toEqual([]);
      expect(failedRotations).toEqual([]);
      expect(done.signedOut).toBe(signOuts);
      expect(done.withdrawn).toBeGreaterThan(signOuts * (pools.length - 1));
      expect(keyIds.size).toBeGreaterThanOrEqual(keysMin);
      for (const what of WHAT) expect(done[what], what).toBeGreaterThan(10);
      if (load.mustBear) expect(sent / tookSeconds, "requests a second").toBeGreaterThan(perSecond * 0.9);
    },
    seconds * 5_000 + 60_000,
  );
}

/** A token of a good session, signed by the key whose turn it is, that expired some seconds ago. */
export async function expiredLike(
  token: string,
  signer: SigningKey,
  settings: TokenSettings,
  agoSeconds: number,
): Promise<string> {
  const { sub = "", sid, tenant, rev } = decodeJwt<{ sid: string; tenant: string; rev: number }>(token);
  const madeAt = new Date(Date.now() - (settings.accessTokenSeconds + agoSeconds) * 1000);
  const identity = { userID: sub, sessionId: sid, tenantId: tenant, role: "owner" as const };
  return signAccessToken(identity, signer, settings, madeAt, { revision: rev });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sessions of one person, written as a sign-in writes them: a thousand sign-ins are a thousand password hashes. */
export async function makeClients(baseUrl: string, count: number): Promise<Client[]> {
  const response = await fetch(`${baseUrl}/auth/register`, {
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
