// Passkeys, as first factor and as second: with an authenticator in software whose signatures are real. A browser's own is
// in passkeys.web.test.ts.
import "reflect-metadata";
import { generateKeyPairSync, sign, webcrypto, type KeyObject } from "node:crypto";
import { BasicConstraintsExtension, X509CertificateGenerator } from "@peculiar/x509";
import { auth } from "~encore/clients";
import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import { systemQuery, withSystem } from "../../db/tenant";
import { callerFrom, type Caller } from "../../security/principal";
import { forgetCredentials } from "../credentials";
import { listFactors } from "../factors/enrolment";
import { beginPasskeySignIn, signInWithPasskey } from "../factors/passkey-sign-in";
import {
  addPasskey,
  beginPasskey,
  listPasskeys,
  PASSKEYS_PER_ACCOUNT_MAX,
  removePasskey,
  renamePasskey,
} from "../factors/passkeys";
import { relyingParty } from "../factors/relying-party";
import { completeSecondFactor, secondFactorOptions } from "../factors/second-factor";
import { stepUp, stepUpOptions } from "../factors/step-up";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { Authenticator, type Behaviour } from "./authenticator";
import { here, newcomer, password, reason } from "./people";

const t0 = new Date();
const late = new Date(t0.getTime() + 300_000);
const callerOf = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, t0));

interface Holder extends Registered {
  caller: Caller;
  device: Authenticator;
  id: string;
  recoveryCodes: string[];
}

async function holder(usual: Behaviour = {}): Promise<Holder> {
  const person = await register(newcomer(), t0);
  const caller = await callerOf(person);
  const device = new Authenticator(usual);
  const { challenge, options } = await beginPasskey(caller, t0);
  const attestation = device.create(options);
  const { id, recoveryCodes = [] } = await addPasskey(caller, { challenge, name: "Telephone", attestation }, t0);
  return { ...person, caller, device, id, recoveryCodes };
}

/** Of a maker of authenticators, as "packed" attestation asks (WebAuthn Level 3 §8.2.1). */
async function certificateOf({
  privateKey,
  publicKey,
}: {
  privateKey: KeyObject;
  publicKey: KeyObject;
}): Promise<Buffer> {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const { subtle } = webcrypto;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "C=CH, O=Maker, OU=Authenticator Attestation, CN=Maker",
    notBefore: new Date(t0.getTime() - 1_000_000),
    notAfter: new Date(t0.getTime() + 1_000_000),
    signingAlgorithm: { ...curve, hash: "SHA-256" },
    keys: {
      privateKey: await subtle.importKey("jwk", privateKey.export({ format: "jwk" }), curve, true, ["sign"]),
      publicKey: await subtle.importKey("jwk", publicKey.export({ format: "jwk" }), curve, true, ["verify"]),
    },
    extensions: [new BasicConstraintsExtension(false)],
  });
  return Buffer.from(certificate.rawData);
}

const login = async (device: Authenticator, unusual: Behaviour = {}, now = t0): Promise<SignedIn> => {
  const { challenge, options } = await beginPasskeySignIn(t0);
  return signInWithPasskey({ challenge, passkey: device.get(options, unusual) }, now, here, "Browser/1.0");
};

async function challengeOf({ user }: Registered): Promise<{ challenge: string; methods: string[] }> {
  const refusal: unknown = await signIn({ email: user.email, password }, t0, here).catch((error: unknown) => error);
  return (refusal as { details: { challenge: string; methods: string[] } }).details;
}

describe("a passkey", () => {
  test("is added to an account and signs in alone, without an e-mail, with the strength of two factors", async () => {
    const person = await holder();
    expect(person.recoveryCodes).toHaveLength(10);
    const signedIn = await login(person.device);
    expect(signedIn).toMatchObject({ user: person.user, organisation: person.organisation, expiresIn: 900 });
    expect(decodeJwt(signedIn.accessToken)).toMatchObject({ amr: ["pop", "mfa"], sub: person.user.id });
    expect(await refreshSession(signedIn.refreshToken, t0, here)).toBeDefined();
    const [listed] = await listPasskeys(person.caller);
    expect(listed).toMatchObject({ id: person.id, name: "Telephone", isSynced: false, transports: ["internal"] });
    expect(listed?.lastUsedAt).toBeInstanceOf(Date);
  });

  test("signs in only when its device made sure of who uses it; as second factor that is not needed", async () => {
    const person = await holder({ verifies: false });
    expect(await reason(login(person.device))).toBe("passkey_invalid");
    const { challenge, methods } = await challengeOf(person);
    expect(methods).toEqual(["passkey", "recovery-code"]);
    const options = await secondFactorOptions(challenge, t0, here);
    expect(options.allowCredentials?.map(({ id }) => id)).toEqual([person.device.credentialId.toString("base64url")]);
    const passkey = person.device.get(options);
    const signedIn = await completeSecondFactor({ challenge, passkey }, t0, here, null);
    expect(decodeJwt(signedIn.accessToken).amr).toEqual(["pwd", "pop", "mfa"]);
    expect(await reason(completeSecondFactor({ challenge, passkey }, t0, here, null))).toBe("second_factor_invalid");
    const again = await challengeOf(person);
    expect(await reason(completeSecondFactor({ challenge: again.challenge, passkey }, t0, here, null))).toBe(
      "second_factor_invalid",
    );
  });

  test.each<[string, Behaviour]>([
    ["another site's page", { origin: "https://evil.example" }],
    ["another port of this host", { origin: "http://localhost:4001" }],
    ["another site", { rpId: "evil.example" }],
    ["another challenge", { challenge: Buffer.alloc(32).toString("base64url") }],
    ["a registration", { type: "webauthn.create" }],
    ["another account", { userHandle: Buffer.alloc(16).toString("base64url") }],
  ])("does not sign in with a signature for %s", async (_what, unusual) => {
    const person = await holder();
    expect(await reason(login(person.device, unusual))).toBe("passkey_invalid");
    expect(await login(person.device)).toBeDefined();
  });

  test("does not sign in with a signature of another key, a changed one, or for a challenge that is used or over", async () => {
    const [person, stranger] = [await holder(), await holder()];
    const { challenge, options } = await beginPasskeySignIn(t0);
    const mine = person.device.get(options);
    const theirs = stranger.device.get(options);
    const sign = (passkey: typeof mine, now = t0, text = challenge): Promise<string | undefined> =>
      reason(signInWithPasskey({ challenge: text, passkey }, now, here, null));
    const { response } = mine;
    const mixed = { ...mine, response: { ...response, signature: theirs.response.signature } };
    const garbled = { ...mine, response: { ...response, authenticatorData: "AAAA" } };
    const unknown = new Authenticator().get(options);
    for (const passkey of [mixed, garbled, unknown, { ...mine, id: "*", rawId: "*" }, { ...mine, type: "password" }])
      expect(await sign(passkey)).toBe("passkey_invalid");
    expect(await sign(mine, late)).toBe("challenge_invalid");
    expect(await sign(mine, t0, `${challenge}AA`)).toBe("challenge_invalid");
    expect(await sign(mine)).toBeUndefined();
    // A key that does not count gives the same signature twice: the challenge alone tells.
    const silent = await holder({ counts: false });
    const begun = await beginPasskeySignIn(t0);
    const once = silent.device.get(begun.options);
    expect(await sign(once, t0, begun.challenge)).toBeUndefined();
    expect(await sign(once, t0, begun.challenge)).toBe("challenge_invalid");
    expect((await listPasskeys(silent.caller))[0]).toMatchObject({ isSynced: true });
  });

  test("that counts is refused when its count does not grow: two have the key", async () => {
    const person = await holder();
    await login(person.device);
    await login(person.device);
    person.device.signCount = 0;
    expect(await reason(login(person.device))).toBe("passkey_invalid");
    person.device.signCount = 10;
    expect(await login(person.device)).toBeDefined();
  });

  test("is added in the session that began, once, and for no other account or site", async () => {
    const [person, stranger] = [await register(newcomer(), t0), await register(newcomer(), t0)];
    const [caller, other] = [await callerOf(person), await callerOf(stranger)];
    const { challenge, options } = await beginPasskey(caller, t0);
    const device = new Authenticator();
    const add = (who: Caller, unusual: Behaviour = {}, now = t0): Promise<string | undefined> =>
      reason(addPasskey(who, { challenge, name: "x", attestation: device.create(options, unusual) }, now));
    expect(await add(other)).toBe("challenge_invalid");
    const elsewhere = await callerOf(await signIn({ email: person.user.email, password }, t0, here));
    expect(await add(elsewhere)).toBe("challenge_invalid");
    expect(await add(caller, {}, late)).toBe("challenge_invalid");
    for (const unusual of [{ origin: "https://evil.example" }, { rpId: "evil.example" }, { type: "webauthn.get" }])
      expect(await add(caller, unusual)).toBe("passkey_invalid");
    expect(await add(caller)).toBeUndefined();
    expect(await add(caller)).toBe("challenge_invalid");
    // The same credential for another account.
    const theirs = await beginPasskey(other, t0);
    const attestation = device.create(theirs.options);
    expect(await reason(addPasskey(other, { challenge: theirs.challenge, name: "x", attestation }, t0))).toBe(
      "passkey_invalid",
    );
  });

  // Nothing is asked of the make of an authenticator, and checking chains of certificates can ask the network.
  test("may vouch for itself, and is refused with a certificate, though a right one", async () => {
    const caller = await callerOf(await register(newcomer(), t0));
    const maker = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const certificate = await certificateOf(maker);
    const add = async (statement: NonNullable<Behaviour["statement"]>): Promise<string | undefined> => {
      const { challenge, options } = await beginPasskey(caller, t0);
      const attestation = new Authenticator().create(options, { format: "packed", statement });
      return reason(addPasskey(caller, { challenge, name: "x", attestation }, t0));
    };
    const made = (signed: Buffer, key: KeyObject): Map<string, unknown> =>
      new Map<string, unknown>([
        ["alg", -7],
        ["sig", sign("sha256", signed, key)],
      ]);
    expect(await add((signed) => made(signed, maker.privateKey).set("x5c", [certificate]))).toBe("passkey_invalid");
    expect(await add((signed) => made(signed, maker.privateKey))).toBe("passkey_invalid");
    expect(await add((signed, ownKey) => made(signed, ownKey))).toBeUndefined();
  });

  test("is named and removed by its owner only; with the last one the account asks for no second factor", async () => {
    const [person, stranger] = [await holder(), await holder()];
    expect(await reason(renamePasskey(stranger.caller, person.id, { name: "Mine" }))).toBe("factor_not_found");
    expect(await reason(removePasskey(stranger.caller, person.id))).toBe("factor_not_found");
    expect(await reason(renamePasskey(person.caller, person.id, { name: " " }))).toBe("invalid_request");
    await renamePasskey(person.caller, person.id, { name: "Old telephone" });
    expect((await listPasskeys(person.caller))[0]?.name).toBe("Old telephone");
    await removePasskey(person.caller, person.id);
    expect(await listFactors(person.caller)).toEqual({ totpSince: null, passkeys: 0, recoveryCodesLeft: 0 });
    expect(await signIn({ email: person.user.email, password }, t0, here)).toBeDefined();
    expect(await reason(login(person.device))).toBe("passkey_invalid");
    const entries = await systemQuery<{ action: string; fields: object }>(
      "test",
      "select action, fields from audit.entry where tenant_id = $1 and action like 'auth.factor.%' order by seq",
      [person.organisation.id],
    );
    const fields = { factor: "passkey", factorId: person.id };
    expect(entries).toEqual([
      { action: "auth.factor.added", fields },
      { action: "auth.factor.removed", fields },
    ]);
  });

  test("is one of twenty at most, and goes when the account changes hands", async () => {
    const person = await holder();
    await systemQuery(
      "test",
      `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
       select gen_random_uuid(), $1::uuid, decode(md5(n::text || ($1::uuid)::text), 'hex'), '', 0, false, false, '{}', 'x' from generate_series(2, $2::int) n`,
      [person.user.id, PASSKEYS_PER_ACCOUNT_MAX - 1],
    );
    const begun = await beginPasskey(person.caller, t0);
    const add = (): Promise<string | undefined> => {
      const attestation = new Authenticator().create(begun.options);
      return reason(addPasskey(person.caller, { challenge: begun.challenge, name: "x", attestation }, t0));
    };
    expect(await add()).toBeUndefined();
    expect(await reason(beginPasskey(person.caller, t0))).toBe("too_many_passkeys");
    await withSystem("test", (tx) => forgetCredentials(tx, person.user.id, "password_reset"));
    expect(await listPasskeys(person.caller)).toEqual([]);
  });

  test("steps up its own session, once for each challenge", async () => {
    const person = await holder();
    const { challenge, options } = await stepUpOptions(person.caller, t0);
    const passkey = person.device.get(options);
    const step = (who: Caller, text: string | undefined): Promise<string | undefined> =>
      reason(stepUp(who, { passkey, challenge: text }, t0, here));
    const elsewhere = await callerOf(await login(person.device));
    expect(await step(elsewhere, challenge)).toBe("challenge_invalid");
    expect(await step(person.caller, undefined)).toBe("challenge_invalid");
    const signInChallenge = (await beginPasskeySignIn(t0)).challenge;
    expect(await step(person.caller, signInChallenge)).toBe("challenge_invalid");
    const fresh = await stepUpOptions(person.caller, t0);
    const stepped = await stepUp(
      person.caller,
      { passkey: person.device.get(fresh.options), challenge: fresh.challenge },
      t0,
      here,
    );
    expect(decodeJwt(stepped.accessToken).amr).toEqual(["pop", "pwd"]);
  });

  test("belongs to the host of APP_URL; where that is none for people, there are none", () => {
    expect(relyingParty("https://app.example.com/base", "production")).toMatchObject({
      id: "app.example.com",
      origin: "https://app.example.com",
    });
    expect(relyingParty("http://localhost:4000", "development").id).toBe("localhost");
    for (const [url, env] of [
      ["http://localhost:4000", "production"],
      ["http://app.example.com", "production"],
      ["https://192.0.2.1", "production"],
      ["https://[2001:db8::1]", "development"],
    ] as const)
      expect(() => relyingParty(url, env), url).toThrow(/no passkeys/);
  });

  test("is answered over the API in the forms of WebAuthn's JSON", async () => {
    const person = await register(newcomer(), t0);
    const authData = await readAccessToken(person.accessToken, t0);
    const device = new Authenticator();
    const begun = await auth.beginPasskey({ authData });
    expect(begun.options).toMatchObject({ rp: { id: "localhost" }, attestation: "none" });
    const attestation = device.create(begun.options);
    const { id } = await auth.addPasskey({ challenge: begun.challenge, name: "Key", attestation }, { authData });
    const { passkeys } = await auth.listPasskeys({ authData });
    expect(passkeys).toEqual([{ id, name: "Key", synced: false, createdAt: expect.any(String) }]);
    const signing = await auth.beginPasskeyLogin();
    const passkey = device.get(signing.options);
    const signedIn = await auth.loginPasskey({ challenge: signing.challenge, passkey });
    expect(signedIn.user).toEqual(person.user);
    await auth.renamePasskey({ id, name: "Other" }, { authData });
    await auth.removePasskey({ id }, { authData });
    expect(await auth.factors({ authData })).toEqual({ passkeys: 0, recoveryCodesLeft: 0 });
  });
});
