// Part of every-endpoint.test.ts, whose app it shares: the short form of key-rotation.ts. Its clients and its judge, one request after the
// other, while the signing key changes twice. It waits for what must come, and for no time but the one that is promised for a
// sign-out to be known everywhere; a request that is not answered counts as wrong. The other replica is the process of the test: it
// verifies and refuses by what it reads of the database.
import { Pool } from "undici";
import { expect, test } from "vitest";
import { KeyRing } from "../../../auth/key-ring";
import { readAccessToken } from "../../../auth/tokens";
import { cfg } from "../../../config";
import { systemQuery } from "../../../db/tenant";
import { expiredLike, makeClients } from "./key-rotation";
import { createRandom } from "./support/fuzz/random";
import { REACHES_WITHIN_MS, TokenTraffic } from "./support/token-traffic";

const CHANGES = 2;
const ACTIVE = 8;
const SIGN_OUTS = 4;
const REQUEST_MS_MAX = 15_000;
/** Ten times what is needed: what never comes then stands in the counts. */
const STEPS_MAX = 10_000;

/** The keys whose turn is to come, in their order: published, and none of them signs before it is told to. */
async function scheduleKeys(ring: KeyRing): Promise<string[]> {
  for (let change = 0; change < CHANGES; change++) await ring.rotate(0);
  const rows = await systemQuery<{ kid: string }>(
    "test",
    "select kid from auth.signing_key where signs_from > clock_timestamp() order by signs_from",
  );
  return rows.map(({ kid }) => kid);
}

const letSign = (kid: string): Promise<unknown> =>
  systemQuery("test", "update auth.signing_key set signs_from = clock_timestamp() where kid = $1", [kid]);

/** The same token as of a key that nobody has. It is refused, and makes who is asked look whether there are new ones, once a second. */
function ofNoKey(token: string): string {
  const [header = "", ...rest] = token.split(".");
  const members = JSON.parse(Buffer.from(header, "base64url").toString()) as object;
  const renamed = JSON.stringify({ ...members, kid: "0".repeat(43) });
  return [Buffer.from(renamed).toString("base64url"), ...rest].join(".");
}

const isTakenHere = (token: string): Promise<boolean> =>
  readAccessToken(token, new Date()).then(
    () => true,
    () => false,
  );

interface KeyChanges {
  /** Of an app on this process's database that has no limits. */
  baseUrl: () => string;
  masterKey: string;
  seed: number;
}

export function keyChanges({ baseUrl, masterKey, seed }: KeyChanges): void {
  test(`a signing key that changes twice refuses no good token and takes no ended one, in the app and here (seed ${seed})`, async () => {
    const pool = new Pool(baseUrl(), { headersTimeout: REQUEST_MS_MAX, bodyTimeout: REQUEST_MS_MAX });
    const ask = async (method: "GET" | "POST", path: string, token?: string, body?: object): Promise<string> => {
      const headers = {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      const answer = await pool.request({
        method,
        path,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
      });
      return `${answer.statusCode} ${await answer.body.text()}`;
    };
    const random = createRandom(seed);
    const clients = await makeClients(baseUrl(), ACTIVE + SIGN_OUTS + 1);
    const mine = clients.pop();
    const traffic = new TokenTraffic([pool], clients, random, { activeClients: ACTIVE, setMaxAgeMs: 1_000 });
    const { done, keyIds, wrong } = traffic;
    let steps = 0;
    const goOnUntil = async (isReached: () => boolean): Promise<void> => {
      for (; !isReached() && steps < STEPS_MAX && wrong.length === 0; steps++) {
        const mayEnd = steps % 10 === 0 && done.signedOut < SIGN_OUTS;
        await traffic.step(mayEnd).catch((error: Error) => void wrong.push(error.message));
        const like = traffic.anyToken();
        if (like !== undefined && steps % 20 === 0)
          expect(await ask("GET", "/auth/me", ofNoKey(like))).toMatch(/^401 /);
      }
    };

    const ring = new KeyRing(() => masterKey, cfg.auth);
    const kids = await scheduleKeys(ring);
    expect(kids).toHaveLength(CHANGES);
    // Nobody is shown a token of a key that is not published: the judge reads the set from here on.
    await goOnUntil(() => done.refreshed === ACTIVE);
    await expect.poll(() => ask("GET", "/.well-known/jwks.json")).toContain(kids.at(-1));
    const refreshed = await ask("POST", "/auth/refresh", undefined, { refreshToken: mine?.refreshToken });
    const { accessToken } = JSON.parse(refreshed.slice(4)) as { accessToken: string };
    expect(await isTakenHere(accessToken)).toBe(true);
    expect(await ask("POST", "/auth/logout", accessToken, {})).toMatch(/^200/);
    const endedAtMs = performance.now();

    for (const kid of kids) {
      await letSign(kid);
      const { used, expired } = done;
      await goOnUntil(() => keyIds.has(kid));
      const token = traffic.anyToken() ?? "";
      const ended = await expiredLike(token, await ring.signer(), cfg.auth, random.integer(1, 20));
      traffic.addExpired(ended);
      await goOnUntil(() => done.used > used + 10 && done.expired > expired);
      expect([await isTakenHere(token), await isTakenHere(ended)]).toEqual([true, false]);
    }
    await goOnUntil(() => done.signedOut === SIGN_OUTS && traffic.isChecked);
    await pool.close();
    process.stdout.write(
      `key changes: ${steps} steps, ${keyIds.size} keys seen, ${JSON.stringify(done)}, seed ${seed}\n`,
    );
    expect(wrong).toEqual([]);
    expect(done).toMatchObject({ signedOut: SIGN_OUTS, withdrawn: SIGN_OUTS });
    expect([...keyIds]).toEqual(expect.arrayContaining(kids));
    expect(performance.now() - endedAtMs).toBeGreaterThan(REACHES_WITHIN_MS);
    expect(await isTakenHere(accessToken)).toBe(false);
  });
}
