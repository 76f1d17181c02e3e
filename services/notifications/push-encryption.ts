// A push message that the browser alone reads (RFC 8291), in the coding aes128gcm (RFC 8188) with one record. Pure: salt and key pair
// arrive as arguments. Written here because it is one page of node:crypto: the package for it (web-push) had its last release in
// January 2024, sends by itself, past the guard against requests into our own network, and takes no salt, by which the vectors
// of the RFC could be tried.
import { createCipheriv, createECDH, ECDH, hkdfSync } from "node:crypto";

const RECORD_BYTES = 4_096;
/** A push service need not take more (RFC 8030 §7.2): less header, delimiter and tag. */
export const PLAIN_BYTES_MAX = RECORD_BYTES - 86 - 1 - 16;

export interface PushKeys {
  /** The browser's public key: an uncompressed point of P-256. */
  p256dh: Buffer;
  /** What it shares with us alone: 16 bytes. */
  auth: Buffer;
}

export interface PushRandom {
  /** 16 bytes. */
  salt: Buffer;
  /** A key of P-256 for this message alone. */
  privateKey: Buffer;
}

/** The message's body. @throws Error for a key that is no point of the curve, RangeError for a text that is too long. */
export function encryptPush(plain: Buffer, { p256dh, auth }: PushKeys, { salt, privateKey }: PushRandom): Buffer {
  if (plain.length > PLAIN_BYTES_MAX) throw new RangeError(`a push message has ${PLAIN_BYTES_MAX} bytes at most`);
  const pair = createECDH("prime256v1");
  pair.setPrivateKey(privateKey);
  const own = pair.getPublicKey();
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), p256dh, own]);
  const keying = Buffer.from(hkdfSync("sha256", pair.computeSecret(p256dh), auth, info, 32));
  const derive = (of: string, bytes: number): Buffer =>
    Buffer.from(hkdfSync("sha256", keying, salt, `Content-Encoding: ${of}\0`, bytes));
  const cipher = createCipheriv("aes-128-gcm", derive("aes128gcm", 16), derive("nonce", 12));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(RECORD_BYTES);
  // 2: the last record (RFC 8188 §2).
  const sealed = Buffer.concat([
    cipher.update(plain),
    cipher.update(Buffer.of(2)),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return Buffer.concat([salt, size, Buffer.of(own.length), own, sealed]);
}

/** Whether the text is base64url of an uncompressed point of P-256. */
export function isPublicPoint(text: string): boolean {
  const point = Buffer.from(text, "base64url");
  if (point.length !== 65 || point[0] !== 4) return false;
  try {
    ECDH.convertKey(point, "prime256v1");
    return true;
  } catch {
    return false;
  }
}
