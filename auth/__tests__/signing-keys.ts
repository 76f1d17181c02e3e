// Part of sessions.test.ts, whose database it shares: the keys of access tokens from their making to their end. Time passes
// by moving the times in their rows: the database's clock decides.
import { auth } from "~encore/clients";
import { createLocalJWKSet, jwtVerify } from "jose";
import { describe, expect, test, vi } from "vitest";
import { cfg } from "../../config";
import { systemQuery } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { authenticate } from "../gateway";
import { createKey } from "../key-material";
import { KeyRing, type KeyRingSettings } from "../key-ring";
import { resealSigningKeys } from "../key-rotation";
import { register } from "../registration";
import { signingKeyList } from "../store/signing-keys";
import { keyRing, readAccessToken, RevokedTokenError } from "../tokens";
import { count, newcomer } from "./people";
import { publicAttacks, signedAttacks } from "./token-attacks";

const [masterKey, anotherKey] = ["0123456789".repeat(4), "abcdefghij".repeat(4)] as const;
const replica = (settings: Partial<KeyRingSettings> = {}, key: string = masterKey): KeyRing =>
  new KeyRing(() => key, { ...cfg.auth, ...settings });
const forget = (): Promise<unknown> => systemQuery("test", "delete from auth.signing_key");
const pass = (seconds: number): Promise<unknown> =>
  systemQuery(
    "test",
    `update auth.signing_key set published_at = published_at - make_interval(secs => $1),
            signs_from = signs_from - make_interval(secs => $1), verify_until = verify_until - make_interval(secs => $1)`,
    [seconds],
  );
const kids = async (ring: KeyRing): Promise<(string | undefined)[]> => (await ring.published()).map(({ kid }) => kid);
/** As after the pause in which a ring does not look again. */
const aMomentLater = (): void => {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + 2_500);
};

export function signingKeys(): void {
  describe("signing keys", () => {
    test("are made once, by many replicas that need the first one at once: one signs, one stands by", async () => {
      await forget();
      const replicas = Array.from({ length: 4 }, () => replica());
      const published = await Promise.all(replicas.map(kids));
      expect(new Set(published.map((set) => set.join())).size).toBe(1);
      expect(await count("auth.signing_key")).toBe(2);
    });

    test("sign when every verifier may know them, and verify until their last token has expired", async () => {
      await forget();
      const [one, other] = [replica(), replica()];
      const old = (await one.signer()).kid;
      expect(await one.rotate(86_400_000)).toBe(false);
      expect(await one.rotate(0)).toBe(true);
      expect((await one.signer()).kid).toBe(old);
      const [, next, standby] = await kids(one);
      expect(await kids(other)).toEqual(expect.arrayContaining([old, next, standby]));
      await pass(66);
      const later = replica();
      const signer = (await later.signer()).kid;
      expect(signer).not.toBe(old);
      expect([next, standby]).toContain(signer);
      expect(await later.find(old)).toBeDefined();
      await pass(cfg.auth.accessTokenSeconds + 61);
      const last = replica();
      expect(await last.find(old)).toBeUndefined();
      expect(await kids(last)).not.toContain(old);
      expect(await last.find(signer)).toBeDefined();
    });

    test("need no master key to verify, and cannot sign with another one", async () => {
      const kid = (await replica().signer()).kid;
      expect(await replica({}, "").find(kid)).toBeDefined();
      await expect(replica({}, anotherKey).signer()).rejects.toThrow(/sealed with the key [0-9a-f]{8}/);
    });

    test("an unknown id is looked up once a second at most, however many are invented", async () => {
      const read = vi.fn(signingKeyList);
      const ring = new KeyRing(() => masterKey, cfg.auth, undefined, read);
      for (let n = 0; n < 100; n++) expect(await ring.find(`invented ${n}`)).toBeUndefined();
      expect(read).toHaveBeenCalledTimes(1);
    });

    test("go on signing for ten seconds when their table says nothing, then who asks is told to come again", async () => {
      let hangs = false;
      const read = (): ReturnType<typeof signingKeyList> => (hangs ? new Promise(() => undefined) : signingKeyList());
      const ring = new KeyRing(() => masterKey, cfg.auth, undefined, read);
      const { kid } = await ring.signer();
      hangs = true;
      const now = performance.now.bind(performance);
      let aheadMs = 2_001;
      vi.spyOn(performance, "now").mockImplementation(() => now() + aheadMs);
      vi.useFakeTimers({ toFake: ["setTimeout"] });
      try {
        const asked = Promise.all([ring.signer(), ring.published()]);
        await vi.advanceTimersByTimeAsync(2_000);
        expect(await asked).toEqual([
          expect.objectContaining({ kid }),
          expect.arrayContaining([expect.objectContaining({ kid })]),
        ]);
        aheadMs += 8_000;
        const refused = expect(ring.signer()).rejects.toMatchObject({
          code: "unavailable",
          details: { reason: "service_unavailable", retryAfterSeconds: 1 },
        });
        await vi.advanceTimersByTimeAsync(2_000);
        await refused;
      } finally {
        vi.useRealTimers();
        vi.restoreAllMocks();
      }
    });

    test("are of the algorithm that is set; those of the other one stay good, each for its own algorithm", async () => {
      await forget();
      const old = (await replica().signer()).kid;
      const rsa = replica({ signingAlgorithm: "RS256" });
      expect(await rsa.rotate(86_400_000)).toBe(true);
      await pass(66);
      const signer = await replica({ signingAlgorithm: "RS256" }).signer();
      expect(signer.algorithm).toBe("RS256");
      expect(await rsa.find(old)).toMatchObject({ algorithm: "EdDSA" });
      // This process's own ring may have read the keys a moment ago; revoking, if only none, reads them anew.
      expect(await keyRing.revoke("none of ours")).toBe(false);
      const { keys } = await auth.jwks();
      expect(keys.find(({ kid }) => kid === signer.kid)).toEqual({
        kty: "RSA",
        kid: signer.kid,
        alg: "RS256",
        use: "sig",
        n: expect.stringMatching(/^[\w-]{512}$/),
        e: "AQAB",
      });
      expect(JSON.stringify(keys)).not.toMatch(/"(d|p|q|dp|dq|qi|crv|x)":""|"d":/);
    });

    test("are resealed with the present master key without a change to anybody, and then need the old one no more", async () => {
      await forget();
      const { kid } = await replica().signer();
      const both = `${anotherKey},${masterKey}`;
      expect((await replica({}, both).signer()).kid).toBe(kid);
      expect(await resealSigningKeys(both)).toBe(2);
      expect(await resealSigningKeys(both)).toBe(0);
      expect((await replica({}, anotherKey).signer()).kid).toBe(kid);
      await expect(replica().signer()).rejects.toThrow(/sealed with the key/);
    });

    test("no rotation makes them too many", async () => {
      const rows = Array.from({ length: 100 }, (_, n) => `many${n}`);
      await systemQuery(
        "test",
        `insert into auth.signing_key (kid, algorithm, public_jwk, private_wrapped, published_at)
         select kid, 'EdDSA', $2, '', now() from unnest($1::text[]) kid`,
        [rows, (await createKey("EdDSA", masterKey)).publicJwk],
      );
      await expect(replica().rotate(0)).rejects.toThrow(/100 signing keys/);
      await forget();
      await keyRing.rotate(0);
    });

    test("a revoked key's tokens are refused, those remembered too, another key signs, and the set is without it", async () => {
      await forget();
      await keyRing.rotate(0);
      const { accessToken } = await register(newcomer(), new Date());
      expect(await readAccessToken(accessToken, new Date())).toBeDefined();
      const { kid } = await keyRing.signer();
      const [, standby] = await kids(keyRing);
      expect(await keyRing.revoke(kid)).toBe(true);
      expect(await keyRing.revoke(kid)).toBe(false);
      const authorization = `Bearer ${accessToken}`;
      const refusal: unknown = await Promise.resolve(authenticate({ authorization })).catch((error: unknown) => error);
      expect(reasonOf(refusal)).toBe("invalid_token");
      await expect(readAccessToken(accessToken, new Date())).rejects.toThrow(TypeError);
      expect((await keyRing.signer()).kid).toBe(standby);
      expect(await kids(keyRing)).toEqual([standby, expect.not.stringMatching(kid)]);
      expect((await register(newcomer(), new Date())).accessToken).toBeDefined();
    });

    test("a revoked key is refused by a process that has not read the keys since", async () => {
      const { accessToken } = await register(newcomer(), new Date());
      const { kid } = await keyRing.signer();
      await readAccessToken(accessToken, new Date());
      // By another replica, which leaves this one's ring and memory as they are.
      await new KeyRing(() => masterKey, cfg.auth).revoke(kid).catch(() => undefined);
      aMomentLater();
      await expect(readAccessToken(accessToken, new Date())).rejects.toThrow(RevokedTokenError);
      vi.restoreAllMocks();
      await forget();
      await keyRing.rotate(0);
    });

    test("whatever our own key signed by mistake, and whatever the owner of a token tries, the gateway answers invalid_token", async () => {
      const { accessToken: token } = await register(newcomer(), new Date());
      const now = new Date();
      const signer = await keyRing.signer();
      const publicJwk = (await keyRing.published())[0] ?? {};
      const attacks = await Promise.all([
        publicAttacks({ token, publicJwk, now }),
        signedAttacks({ token, publicJwk, now }, signer),
      ]);
      for (const { name, token: attack } of attacks.flat()) {
        const answer: unknown = await Promise.resolve(authenticate({ authorization: `Bearer ${attack}` })).catch(
          (error: unknown) => error,
        );
        expect(reasonOf(answer), name).toBe("invalid_token");
      }
    });

    test("another service verifies a token by the published set alone", async () => {
      const { accessToken, user } = await register(newcomer(), new Date());
      const set = createLocalJWKSet(await auth.jwks());
      const { payload } = await jwtVerify(accessToken, set, { typ: "at+jwt", audience: cfg.auth.audience });
      expect(payload.sub).toBe(user.id);
    });
  });
}
