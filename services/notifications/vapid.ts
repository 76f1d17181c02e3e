// Who we are to push services: an ES256 key of this installation (RFC 8292), made of the master key. A browser binds a subscription
// to the key that it was made with, so each says which that was: a new master key makes new subscriptions, and the one before goes on
// sending to the old ones for as long as it stands behind the new one.
import { createECDH } from "node:crypto";
import { secret } from "encore.dev/config";
import { importJWK, SignJWT } from "jose";
import { masterKeyset } from "../../security/envelope";

const masterKey = secret("MasterKey");

/** Of the curve P-256 (SEC 2, 2.4.2). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
/** At most a day (RFC 8292 §2). */
const TOKEN_SECONDS = 12 * 3_600;

export interface VapidKey {
  /** Names the key without telling anything of it: hexadecimal. */
  id: string;
  /** What a page gives as `applicationServerKey`: base64url of the uncompressed point. */
  publicKey: string;
  privateKey: Buffer;
}

/** A scalar from 1 to the order less one, of 256 random bits: their excess over the order is less than a 2^32nd. */
function scalarOf(key: Buffer): Buffer {
  const scalar = (BigInt(`0x${key.toString("hex")}`) % (ORDER - 1n)) + 1n;
  return Buffer.from(scalar.toString(16).padStart(64, "0"), "hex");
}

/** The present one first. */
export function vapidKeys(): readonly VapidKey[] {
  return masterKeyset(masterKey(), "web push").map(({ id, key }) => {
    const privateKey = scalarOf(key);
    const pair = createECDH("prime256v1");
    pair.setPrivateKey(privateKey);
    return { id: id.toString("hex"), publicKey: pair.getPublicKey("base64url"), privateKey };
  });
}

/** The Authorization header for a push service (RFC 8292 §3). `nowMs`: milliseconds since 1970. */
export async function vapidAuthorization(
  { publicKey, privateKey }: VapidKey,
  { endpoint, subject, nowMs }: { endpoint: string; subject: string; nowMs: number },
): Promise<string> {
  const point = Buffer.from(publicKey, "base64url");
  const jwk = {
    ...{ kty: "EC", crv: "P-256", d: privateKey.toString("base64url") },
    ...{ x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url") },
  };
  const token = await new SignJWT({ aud: new URL(endpoint).origin, sub: subject })
    .setProtectedHeader({ typ: "JWT", alg: "ES256" })
    .setExpirationTime(Math.floor(nowMs / 1_000) + TOKEN_SECONDS)
    .sign(await importJWK(jwk, "ES256"));
  return `vapid t=${token}, k=${publicKey}`;
}
