// What must not get in, as texts: RFC 8725 (JSON Web Token Best Current Practices) read as attacks. Made from one good token
// and what its key set tells everybody; those that say `isSigned` need the private key of it, as a fault of ours would.
import { createHmac, createPublicKey, createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { CompactSign, EncryptJWT, importJWK, UnsecuredJWT, type CryptoKey, type JWK } from "jose";

export interface TokenAttack {
  name: string;
  token: string;
}

export interface AttackedToken {
  token: string;
  /** Of the key that signed it. */
  publicJwk: JWK;
  now: Date;
}

const b64 = (text: string | Buffer): string => Buffer.from(text).toString("base64url");
const json = (value: unknown): string => b64(JSON.stringify(value));
const membersOf = (part = ""): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;

const SMALL_ORDER_POINT = Buffer.from("0100000000000000000000000000000000000000000000000000000000000000", "hex");

/** Attacks by whoever has a token of their own and the public keys. */
export async function publicAttacks({ token, publicJwk }: AttackedToken): Promise<TokenAttack[]> {
  const [head = "", body = "", signature = ""] = token.split(".");
  const header = membersOf(head);
  const claims = membersOf(body);
  const { kid } = header;
  const own = generateKeyPairSync("ed25519");
  const ownJwk = { ...own.publicKey.export({ format: "jwk" }), kid };
  const ownKey = await importJWK({ ...own.privateKey.export({ format: "jwk" }), alg: "EdDSA" }, "EdDSA");
  const signOwn = (more: Record<string, unknown>): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ ...header, alg: "EdDSA", ...more })
      .sign(ownKey, { crit: { "x-ours": true } });
  const withHeader = (change: Record<string, unknown>): string =>
    `${json({ ...header, ...change })}.${body}.${signature}`;
  const hmac = (secret: string | Buffer, alg = "HS256"): string => {
    const signed = `${json({ ...header, alg })}.${body}`;
    return `${signed}.${createHmac(alg === "HS256" ? "sha256" : "sha512", secret)
      .update(signed)
      .digest("base64url")}`;
  };
  const pem = createPublicKey({ key: publicJwk as never, format: "jwk" });
  const pemText = pem.export({ type: "spki", format: "pem" });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const es256 = (): string => {
    const signed = `${json({ ...header, alg: "ES256" })}.${body}`;
    return `${signed}.${createSign("sha256").update(signed).sign({ key: ec.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
  const point = Buffer.concat([SMALL_ORDER_POINT, Buffer.alloc(32)]);
  const badLast = signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1);
  const named = (entries: Record<string, string>): TokenAttack[] =>
    Object.entries(entries).map(([name, text]) => ({ name, token: text }));
  return named({
    ...Object.fromEntries(
      ["none", "None", "NONE", "nOnE", ""].flatMap((alg) => [
        [`alg ${alg || "empty"}, no signature`, `${json({ ...header, alg })}.${body}.`],
        [`alg ${alg || "empty"}, the old signature`, `${json({ ...header, alg })}.${body}.${signature}`],
      ]),
    ),
    "jose's own unsecured token": new UnsecuredJWT(claims).encode(),
    "alg missing": `${json({ typ: header.typ, kid })}.${body}.${signature}`,
    "alg is a list": withHeader({ alg: ["EdDSA"] }),
    "HS256 with the PEM as secret": hmac(pemText),
    "HS256 with the PEM's text without its last line end": hmac(pemText.toString().trimEnd()),
    "HS256 with the DER as secret": hmac(pem.export({ type: "spki", format: "der" })),
    "HS256 with the JWK as secret": hmac(JSON.stringify(publicJwk)),
    "HS256 with the JWK's x or n as secret": hmac(Buffer.from(publicJwk.x ?? publicJwk.n ?? "", "base64url")),
    "HS512 with the PEM as secret": hmac(pemText, "HS512"),
    "the key's algorithm exchanged for the other one": withHeader({ alg: header.alg === "EdDSA" ? "RS256" : "EdDSA" }),
    "ES256 of an own key": es256(),
    "ES256 with r = s = 0 (psychic signature)": `${json({ ...header, alg: "ES256" })}.${body}.${b64(Buffer.alloc(64))}`,
    "an own key, its jwk in the header": await signOwn({ jwk: ownJwk }),
    "an own key under our kid": await signOwn({}),
    "an own key by jku": await signOwn({ jku: "http://127.0.0.1:1/jwks.json" }),
    "an own key by x5u": await signOwn({ x5u: "http://127.0.0.1:1/cert.pem" }),
    "an own certificate": await signOwn({ x5c: ["MIIB"] }),
    "a critical extension": await signOwn({ crit: ["x-ours"], "x-ours": 1 }),
    "crit of nothing": withHeader({ crit: [] }),
    "b64 false": withHeader({ b64: false, crit: ["b64"] }),
    "a member that ours have not": withHeader({ extra: 1 }),
    "typ JWT": withHeader({ typ: "JWT" }),
    "cty JWT (nested)": withHeader({ cty: "JWT" }),
    "an encrypted token": await new EncryptJWT(claims)
      .setProtectedHeader({ alg: "dir", enc: "A256GCM", typ: "at+jwt", kid: String(kid) })
      .encrypt(Buffer.alloc(32, 1)),
    ...Object.fromEntries(
      Object.entries({
        "a path": "../../../../dev/null",
        "a file URL": "file:///dev/null",
        SQL: "' or 1=1; drop table auth.signing_key; --",
        "a union": "' union select '{}'::jsonb --",
        unicode: "\u202e\u0000\ud800ключ",
        long: "k".repeat(2_000),
        empty: "",
        "another thumbprint": "A".repeat(43),
        __proto__: "__proto__",
        constructor: "constructor",
      }).map(([what, other]) => [`kid: ${what}`, withHeader({ kid: other })]),
    ),
    "kid is an object": withHeader({ kid: { $ne: "" } }),
    "kid is missing": `${json({ alg: header.alg, typ: header.typ })}.${body}.${signature}`,
    "another subject under the old signature": `${head}.${json({ ...claims, sub: "0193a1c0-0000-7000-8000-000000000001" })}.${signature}`,
    "the signature of zeros": `${head}.${body}.${b64(Buffer.alloc(Buffer.from(signature, "base64url").length))}`,
    "the signature of ones": `${head}.${body}.${b64(Buffer.alloc(Buffer.from(signature, "base64url").length, 255))}`,
    "R of small order and S = 0": `${head}.${body}.${b64(point)}`,
    "no signature": `${head}.${body}.`,
    "half of the signature": `${head}.${body}.${signature.slice(0, 40)}`,
    "a non-canonical last character": `${head}.${body}.${badLast}`,
    padding: `${head}.${body}.${signature}==`,
    "standard base64": `${head}.${body}.${Buffer.from(signature, "base64url").toString("base64").replaceAll("=", "")}+/`,
    "white space inside": `${head}.${body} .${signature}`,
    "a line end inside": `${head}.${body}\n.${signature}`,
    "an extra dot": `${token}.`,
    "a dot before": `.${token}`,
    "five parts": `${token}.${body}.${signature}`,
    "two parts": `${head}.${body}`,
    "the JSON form": JSON.stringify({ protected: head, payload: body, signature }),
    twice: `${token} ${token}`,
    "the header of another spelling": `${b64(JSON.stringify(header, null, 1))}.${body}.${signature}`,
    "alg twice": `${b64(`{"alg":"none","alg":"${String(header.alg)}","typ":"at+jwt","kid":"${String(kid)}"}`)}.${body}.${signature}`,
    "no JSON": `${b64("header")}.${b64("claims")}.${signature}`,
    "a list": `${b64("[]")}.${b64("[]")}.${signature}`,
    null: `${b64("null")}.${b64("null")}.${signature}`,
    "deep JSON": `${b64(`${"[".repeat(900)}${"]".repeat(900)}`)}.${body}.${signature}`,
    oversize: `${head}.${b64(JSON.stringify({ ...claims, more: "x".repeat(12_000) }))}.${signature}`,
    "a refresh token's form": "A".repeat(91),
  });
}

/** What only we could sign: faults of time, place and form. */
export async function signedAttacks(
  { token, now }: AttackedToken,
  key: { kid: string; algorithm: string; privateKey: CryptoKey },
): Promise<TokenAttack[]> {
  const claims = membersOf(token.split(".")[1]);
  const seconds = Math.floor(now.getTime() / 1000);
  const header = { alg: key.algorithm, typ: "at+jwt", kid: key.kid };
  const signText = (text: string, change: Record<string, unknown> = {}): Promise<string> =>
    new CompactSign(Buffer.from(text)).setProtectedHeader({ ...header, ...change }).sign(key.privateKey);
  const sign = (change: Record<string, unknown>): Promise<string> =>
    signText(JSON.stringify({ ...claims, iat: seconds, exp: seconds + 600, ...change }));
  const good = JSON.stringify({ ...claims, iat: seconds, exp: seconds + 600 });
  const entries: Record<string, Promise<string>> = {
    expired: sign({ iat: seconds - 900, exp: seconds - 2 }),
    "expired a year ago": sign({ iat: seconds - 31_536_900, exp: seconds - 31_536_000 }),
    "iat in the future": sign({ iat: seconds + 300, exp: seconds + 900 }),
    "nbf in the future": sign({ nbf: seconds + 300 }),
    "good for a year": sign({ exp: seconds + 31_536_000 }),
    "good for ever": sign({ exp: undefined }),
    "exp is a text": sign({ exp: String(seconds + 600) }),
    "exp is a fraction": sign({ exp: seconds + 600.5 }),
    "exp is enormous": sign({ exp: Number.MAX_SAFE_INTEGER }),
    "exp before iat": sign({ iat: seconds + 1, exp: seconds }),
    "no iat": sign({ iat: undefined }),
    "another issuer": sign({ iss: "somebody" }),
    "a list of issuers": sign({ iss: [claims.iss] }),
    "no issuer": sign({ iss: undefined }),
    "another audience": sign({ aud: "another-api" }),
    "several audiences, ours among them": sign({ aud: [claims.aud, "another-api"] }),
    "no audience": sign({ aud: undefined }),
    "no subject": sign({ sub: undefined }),
    "no session": sign({ sid: undefined }),
    "a role that is none": sign({ role: "root" }),
    "the role of a prototype": sign({ role: "constructor" }),
    "a tenant that is no id": sign({ tenant: "1" }),
    "a tenant without a role": sign({ role: undefined }),
    "a role and a scope": sign({ scope: "organisation.delete", role_id: randomUUID() }),
    "a scope of no role": sign({ role: undefined, scope: "document.read" }),
    "a role's id without a scope": sign({ role: undefined, role_id: randomUUID() }),
    "a scope that is none": sign({ role: undefined, role_id: randomUUID(), scope: "document.read  x" }),
    "a role without a tenant": sign({ tenant: undefined }),
    "a revision that is a text": sign({ rev: "9" }),
    "a revision that is a fraction": sign({ rev: 1.5 }),
    "a time of authentication that is a text": sign({ auth_time: "soon" }),
    "a time of authentication that is a fraction": sign({ auth_time: 1.5 }),
    "no time of authentication": sign({ auth_time: null }),
    "another type": signText(good, { typ: "JWT" }),
    "the type of a logout token": signText(good, { typ: "logout+jwt" }),
    "a member more in the header": signText(good, { jku: "http://127.0.0.1:1/" }),
    "a claim twice": signText(good.replace("{", `{"role":"viewer",`).replace(/\}$/, `,"role":"owner"}`)),
    "sub twice": signText(good.replace(/\}$/, `,"sub":"0193a1c0-0000-7000-8000-000000000001"}`)),
    "an escaped name of a member": signText(good.replace('"sub"', '"\\u0073ub"')),
    "white space in the claims": signText(good.replace("{", "{ ")),
    "a claim __proto__": signText(good.replace("{", '{"__proto__":{"role":"owner"},')).then((text) => `${text}!`),
    "claims that are a list": signText("[]"),
    "claims that are no JSON": signText("claims"),
    "claims with a byte order mark": signText(`\ufeff${good}`),
    "a token inside a token": sign({}).then((inner) => signText(JSON.stringify(inner), { cty: "JWT" })),
    oversize: sign({ more: "x".repeat(6_000) }),
  };
  return Promise.all(Object.entries(entries).map(async ([name, text]) => ({ name, token: await text })));
}
