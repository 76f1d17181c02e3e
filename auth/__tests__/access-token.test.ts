// What must not get in: RFC 8725 (JSON Web Token Best Current Practices) read as attacks.
import { createHmac, randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { signAccessToken, verifyAccessToken, type TokenIdentity } from "../access-token";

const now = new Date("2026-01-01T12:00:00Z");
const settings = { issuer: "groundwork", audience: "groundwork-api", accessTokenSeconds: 900 };
const identity: TokenIdentity = {
  userID: randomUUID(),
  tenantId: randomUUID(),
  role: "member",
  sessionId: randomUUID(),
};

let keys: { publicKey: CryptoKey; privateKey: CryptoKey };
let token: string;

const findKey = ({ kid }: { kid?: string }): Promise<CryptoKey> =>
  kid === "k1" ? Promise.resolve(keys.publicKey) : Promise.reject(new TypeError("unknown key"));
const verify = (text: string, at = now): ReturnType<typeof verifyAccessToken> =>
  verifyAccessToken(text, findKey, settings, at);
const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const payloadOf = (text: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

beforeAll(async () => {
  keys = await generateKeyPair("EdDSA", { extractable: true });
  token = await signAccessToken(identity, { kid: "k1", privateKey: keys.privateKey }, settings, now);
});

/** A token that is right but for what `change` does to it, signed with our own key. */
function forged(
  change: (jwt: SignJWT) => SignJWT,
  header: Record<string, string> = {},
  claims: Record<string, unknown> = {},
): Promise<string> {
  const jwt = new SignJWT({ tenant: identity.tenantId, role: identity.role, sid: identity.sessionId, ...claims })
    .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "k1", ...header })
    .setIssuer(settings.issuer)
    .setAudience(settings.audience)
    .setSubject(identity.userID)
    .setIssuedAt(now)
    .setExpirationTime(new Date(now.getTime() + 60_000));
  return change(jwt).sign(keys.privateKey);
}

test("an access token says how and when its person was authenticated, and nonsense in it is refused", async () => {
  const at = new Date("2026-03-01T08:59:30.900Z");
  const key = { kid: "k1", privateKey: keys.privateKey };
  const sign = (authentication?: { amr: string[]; at: Date }): Promise<string> =>
    signAccessToken(identity, key, settings, now, { authentication });
  const said = await sign({ amr: ["pwd", "otp"], at });
  expect(payloadOf(said)).toMatchObject({ amr: ["pwd", "otp"], auth_time: Math.floor(at.getTime() / 1000) });
  const read = async (text: string): Promise<string | undefined> => (await verify(text)).identity.authTime;
  expect(await read(said)).toBe(String(Math.floor(at.getTime() / 1000)));
  expect(await read(await sign())).toBeUndefined();
  for (const auth_time of ["soon", 1.5, null, {}])
    await expect(read(await forged((jwt) => jwt, {}, { auth_time }))).rejects.toThrow(TypeError);
});

describe("an access token", () => {
  test("says who it is for, until it expires", async () => {
    expect(await verify(token)).toEqual({ identity, revision: 0, expiresAtMs: now.getTime() + 900_000 });
    expect((await verify(token, new Date(now.getTime() + 899_000))).identity).toEqual(identity);
    await expect(verify(token, new Date(now.getTime() + 900_000))).rejects.toMatchObject({ code: "ERR_JWT_EXPIRED" });
  });

  test("of a person without an organisation says so, and the revision of a membership comes along", async () => {
    const { userID, sessionId } = identity;
    const sign = (who: TokenIdentity, revision?: number): Promise<string> =>
      signAccessToken(who, { kid: "k1", privateKey: keys.privateKey }, settings, now, { revision });
    expect((await verify(await sign({ userID, sessionId }))).identity).toEqual({ userID, sessionId });
    expect(await verify(await sign(identity, 7))).toMatchObject({ identity, revision: 7 });
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

  test("is refused with another role put into it", async () => {
    const [header, , signature] = token.split(".");
    await expect(
      verify(`${header}.${segment({ ...payloadOf(token), role: "owner" })}.${signature}`),
    ).rejects.toMatchObject({ code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
  });

  test("is refused without a signature (alg none), however none is spelt", async () => {
    for (const alg of ["none", "None", "NONE", ""]) {
      await expect(
        verify(`${segment({ alg, typ: "at+jwt", kid: "k1" })}.${segment(payloadOf(token))}.`),
        alg,
      ).rejects.toThrow();
    }
  });

  test("is refused when the public key was used as an HMAC secret", async () => {
    const signed = `${segment({ alg: "HS256", typ: "at+jwt", kid: "k1" })}.${segment(payloadOf(token))}`;
    const secret = Buffer.from((await exportJWK(keys.publicKey)).x ?? "", "base64url");
    await expect(
      verify(`${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`),
    ).rejects.toMatchObject({ code: "ERR_JOSE_ALG_NOT_ALLOWED" });
  });

  test("is refused when it brings its own key", async () => {
    const stranger = await generateKeyPair("EdDSA", { extractable: true });
    const jwk = await exportJWK(stranger.publicKey);
    const own = await new SignJWT(payloadOf(token))
      .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "k1", jwk })
      .sign(stranger.privateKey);
    await expect(verify(own)).rejects.toMatchObject({ code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
  });

  test("is refused from another issuer, for another audience, of another type, of an unknown key", async () => {
    await expect(verify(await forged((jwt) => jwt))).resolves.toBeDefined();
    await expect(verify(await forged((jwt) => jwt.setIssuer("somebody")))).rejects.toMatchObject({
      code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
      claim: "iss",
    });
    await expect(verify(await forged((jwt) => jwt.setAudience("another-api")))).rejects.toMatchObject({
      code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
      claim: "aud",
    });
    await expect(verify(await forged((jwt) => jwt, { typ: "JWT" }))).rejects.toMatchObject({ claim: "typ" });
    await expect(verify(await forged((jwt) => jwt, { kid: "k2" }))).rejects.toThrow("unknown key");
  });

  test("is refused when its claims do not name an identity", async () => {
    for (const claims of [
      { role: "root" },
      { tenant: "1" },
      { sid: 5 },
      { tenant: null },
      { tenant: undefined },
      { role: undefined },
      { rev: "9" },
      { rev: 1.5 },
    ]) {
      await expect(verify(await forged((jwt) => jwt, {}, claims)), JSON.stringify(claims)).rejects.toThrow();
    }
  });

  test.each(["", "a", "a.b", "a.b.c", "....", `${"A".repeat(10_000)}.B.C`])("is not %j", async (text) => {
    await expect(verify(text)).rejects.toThrow();
  });
});
