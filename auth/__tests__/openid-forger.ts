// A provider that answers with whatever ID token a test wants: what a real one never gives out.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from "jose";
import { CLIENT } from "./openid-provider";

/** How its ID token differs from a good one. */
export interface Forge {
  claims?: JWTPayload;
  key?: "stranger" | "none" | "secret";
}

export interface StartedForger {
  issuer: string;
  answerWith: (forge: Forge, nonce: string) => void;
  /** How many of its answers nobody waited for. */
  cut: () => number;
  close: () => Promise<void>;
}

/** With a delay it tells at once what it is, and takes that long for each thing else. */
export async function startForger(delayMs = 0): Promise<StartedForger> {
  const own = await generateKeyPair("RS256");
  const stranger = await generateKeyPair("RS256");
  const jwk = { ...(await exportJWK(own.publicKey)), kid: "1", alg: "RS256", use: "sig" };
  let forge: Forge = {};
  let nonce = "";
  let issuer = "";
  const idToken = (): Promise<string> | string => {
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: issuer, aud: CLIENT.clientId, sub: "forged", nonce, iat: now, exp: now + 60 };
    const claims = { ...usual, email: "forged@example.com", email_verified: true, ...forge.claims };
    if (forge.key === "none") return new UnsecuredJWT(claims).encode();
    if (forge.key === "secret")
      return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(CLIENT.clientSecret));
    const { privateKey } = forge.key === "stranger" ? stranger : own;
    return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "1" }).sign(privateKey);
  };
  const answers: Record<string, () => Promise<unknown>> = {
    "/.well-known/openid-configuration": () =>
      Promise.resolve({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
      }),
    "/jwks": () => Promise.resolve({ keys: [jwk] }),
    "/token": async () => ({ access_token: "x", token_type: "Bearer", id_token: await idToken() }),
  };
  let cut = 0;
  const server = createServer((req, res) => {
    res.on("close", () => void (cut += res.writableFinished ? 0 : 1));
    const path = req.url ?? "";
    void answers[path]?.().then((body) => {
      res.setHeader("content-type", "application/json");
      const answer = (): unknown => res.end(JSON.stringify(body));
      if (delayMs === 0 || path.startsWith("/.well-known/")) answer();
      else setTimeout(answer, delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    cut: () => cut,
    answerWith: (wanted, given) => {
      forge = wanted;
      nonce = given;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
