// What must not get in: RFC 8725 (JSON Web Token Best Current Practices) read as attacks (token-attacks.ts).
import { createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { importJWK, jwtVerify, SignJWT, type CryptoKey, type JWK } from "jose";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { signAccessToken, verifyAccessToken, type FindKey, type SigningKey, type TokenIdentity } from "../access-token";
import { createKey, openPrivate } from "../key-material";
import type { SigningAlgorithm } from "../key-schedule";
import { publicAttacks, signedAttacks } from "./token-attacks";

const now = new Date("2026-01-01T12:00:00Z");
const settings = { issuer: "groundwork", audience: "groundwork-api", accessTokenSeconds: 900 };
const identity: TokenIdentity = {
  userID: randomUUID(),
  tenantId: randomUUID(),
  role: "member",
  sessionId: randomUUID(),
};
const masterKeys = "0123456789".repeat(4);

interface Pair {
  signing: SigningKey;
  publicJwk: JWK;
  publicKey: CryptoKey;
}

async function pairOf(algorithm: SigningAlgorithm): Promise<Pair> {
  const made = await createKey(algorithm, masterKeys);
  const privateKey = await openPrivate(made, masterKeys);
  const publicKey = (await importJWK(made.publicJwk, algorithm)) as CryptoKey;
  return { signing: { kid: made.kid, algorithm, privateKey }, publicJwk: made.publicJwk, publicKey };
}

let pairs: Record<SigningAlgorithm, Pair>;
let token: string;

const findKey: FindKey = (kid) => {
  const found = Object.values(pairs).find(({ signing }) => signing.kid === kid);
  return Promise.resolve(found && { algorithm: found.signing.algorithm, publicKey: found.publicKey });
};
const verify = (text: string, at = now, find = findKey): ReturnType<typeof verifyAccessToken> =>
  verifyAccessToken(text, find, settings, at);
const sign = (algorithm: SigningAlgorithm): Promise<string> =>
  signAccessToken(identity, pairs[algorithm].signing, settings, now);
const payloadOf = (text: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

beforeAll(async () => {
  pairs = { EdDSA: await pairOf("EdDSA"), RS256: await pairOf("RS256") };
});
beforeEach(async () => {
  token = await sign("EdDSA");
});

describe("an access token", () => {
  test.each(["EdDSA", "RS256"] as const)("of %s says who it is for, until it expires", async (algorithm) => {
    const text = await sign(algorithm);
    const { kid } = pairs[algorithm].signing;
    expect(await verify(text)).toEqual({
      identity,
      revision: 0,
      roleId: null,
      expiresAtMs: now.getTime() + 900_000,
      kid,
    });
    expect((await verify(text, new Date(now.getTime() + 899_000))).identity).toEqual(identity);
    await expect(verify(text, new Date(now.getTime() + 900_000))).rejects.toMatchObject({ code: "ERR_JWT_EXPIRED" });
  });

  test("of a longer life than is set is over when one of that would be: what ended its session is forgotten then", async () => {
    const long = await signAccessToken(identity, pairs.EdDSA.signing, { ...settings, accessTokenSeconds: 3_600 }, now);
    const at = (seconds: number): ReturnType<typeof verify> => verify(long, new Date(now.getTime() + seconds * 1000));
    expect(await at(899)).toMatchObject({ expiresAtMs: now.getTime() + 900_000 });
    await expect(at(900)).rejects.toMatchObject({ code: "ERR_JWT_EXPIRED" });
  });

  test("is what RFC 9068 says: another reader of the key set verifies it", async () => {
    const { payload, protectedHeader } = await jwtVerify(token, await importJWK(pairs.EdDSA.publicJwk, "EdDSA"), {
      typ: "at+jwt",
      issuer: settings.issuer,
      audience: settings.audience,
      currentDate: now,
      requiredClaims: ["iss", "exp", "aud", "sub", "iat", "jti"],
    });
    expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: pairs.EdDSA.signing.kid });
    expect(payload.sub).toBe(identity.userID);
  });

  test("of a person without an organisation says so, and the revision of a membership comes along", async () => {
    const { userID, sessionId } = identity;
    const signed = (who: TokenIdentity, revision?: number): Promise<string> =>
      signAccessToken(who, pairs.EdDSA.signing, settings, now, { revision });
    expect((await verify(await signed({ userID, sessionId }))).identity).toEqual({ userID, sessionId });
    expect(await verify(await signed(identity, 7))).toMatchObject({ identity, revision: 7 });
  });

  test("says how and when its person was authenticated, and nonsense in it is refused", async () => {
    const at = new Date("2026-01-01T11:59:30.900Z");
    const authentication = { amr: ["pwd", "otp"], at };
    const said = await signAccessToken(identity, pairs.EdDSA.signing, settings, now, { authentication });
    const seconds = Math.floor(at.getTime() / 1000);
    expect(payloadOf(said)).toMatchObject({ amr: ["pwd", "otp"], auth_time: seconds });
    expect((await verify(said)).identity.authTime).toBe(String(seconds));
    expect((await verify(token)).identity.authTime).toBeUndefined();
  });

  test("holds ids only: no e-mail, no name", () => {
    expect(Object.keys(payloadOf(token)).sort()).toEqual([
      "aud",
      "exp",
      "iat",
      "iss",
      "jti",
      "role",
      "sid",
      "sub",
      "tenant",
    ]);
  });

  test("is refused with any one character of it changed", async () => {
    for (let at = 0; at < token.length; at += 7) {
      if (token[at] === ".") continue;
      const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      await expect(verify(changed), `changed at ${at}`).rejects.toThrow();
    }
  });

  test.each(["EdDSA", "RS256"] as const)(
    "of %s is refused in every attack that its owner could try",
    async (algorithm) => {
      const text = await sign(algorithm);
      const attacks = await publicAttacks({ token: text, publicJwk: pairs[algorithm].publicJwk, now });
      expect(attacks.length).toBeGreaterThan(60);
      for (const { name, token: attack } of attacks) await expect(verify(attack), name).rejects.toThrow();
    },
  );

  test("signed by our own key, but of another time, place or form, is refused", async () => {
    const { signing } = pairs.EdDSA;
    const honest = new SignJWT({ ...payloadOf(token) }).setProtectedHeader({
      alg: "EdDSA",
      typ: "at+jwt",
      kid: signing.kid,
    });
    await expect(verify(await honest.sign(signing.privateKey))).resolves.toBeDefined();
    for (const { name, token: attack } of await signedAttacks(
      { token, publicJwk: pairs.EdDSA.publicJwk, now },
      signing,
    ))
      await expect(verify(attack), name).rejects.toThrow();
  });

  // ASVS 5.0 11.4.3: what collides in a shorter hash has the same signature.
  test("is signed over a hash of 256 bits or more: a signature of our own key over a shorter one is refused", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const publicKey = (await importJWK(rsa.publicKey.export({ format: "jwk" }), "RS256")) as CryptoKey;
    const find: FindKey = () => Promise.resolve({ algorithm: "RS256", publicKey });
    const signedOver = (hash: string, alg: string): string => {
      const head = Buffer.from(JSON.stringify({ alg, typ: "at+jwt", kid: pairs.RS256.signing.kid }));
      const text = `${head.toString("base64url")}.${token.split(".")[1]}`;
      return `${text}.${createSign(hash).update(text).sign(rsa.privateKey, "base64url")}`;
    };
    await expect(verify(signedOver("sha256", "RS256"), now, find)).resolves.toBeDefined();
    for (const hash of ["md5", "sha1", "sha224"])
      for (const alg of ["RS256", "RS1", "RSA-SHA1", hash])
        await expect(verify(signedOver(hash, alg), now, find), `${hash} as ${alg}`).rejects.toThrow();
    // Ed25519's is SHA-512, by its definition (RFC 8032).
    const used = Object.values(pairs).map(({ publicKey: { algorithm } }) => algorithm);
    expect(used).toMatchObject([{ name: "Ed25519" }, { name: "RSASSA-PKCS1-v1_5", hash: { name: "SHA-256" } }]);
  });

  test("is refused when its key is for another algorithm, whatever the ring believes", async () => {
    const rsa = await sign("RS256");
    const confused: FindKey = () => Promise.resolve({ algorithm: "EdDSA", publicKey: pairs.RS256.publicKey });
    await expect(verify(rsa, now, confused)).rejects.toMatchObject({ code: "ERR_JOSE_ALG_NOT_ALLOWED" });
  });

  test.each(["", "a", "a.b", "a.b.c", "....", `${"A".repeat(10_000)}.B.C`])("is not %j", async (text) => {
    await expect(verify(text)).rejects.toThrow();
  });
});

// Signature checks are what is dear; everything that can be seen without one is seen before.
describe("refusing", () => {
  test("checks no signature and asks for no key, but where form, claims and kid are those of a good token", async () => {
    const publicAttempts = await publicAttacks({ token, publicJwk: pairs.EdDSA.publicJwk, now });
    const ownAttempts = await signedAttacks({ token, publicJwk: pairs.EdDSA.publicJwk, now }, pairs.EdDSA.signing);
    const checked = vi.spyOn(crypto.subtle, "verify");
    const asked: string[] = [];
    const dear: string[] = [];
    for (const { name, token: attack } of [...publicAttempts, ...ownAttempts]) {
      checked.mockClear();
      await verify(attack, now, (kid) => {
        asked.push(name);
        return findKey(kid);
      }).catch(() => undefined);
      expect(checked.mock.calls.length, name).toBeLessThanOrEqual(1);
      if (checked.mock.calls.length > 0) dear.push(name);
    }
    checked.mockRestore();
    expect(dear.sort()).toEqual([
      "R of small order and S = 0",
      "an own key under our kid",
      "another subject under the old signature",
      "half of the signature",
      "the signature of ones",
      "the signature of zeros",
    ]);
    expect(new Set(asked)).toEqual(
      new Set([...dear, "kid: another thumbprint", "the key's algorithm exchanged for the other one"]),
    );
  });
});
