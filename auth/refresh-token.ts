// Refresh tokens, without clock or database: what one is made of, and what a presented one means.
// A token is session id (16 bytes) · generation (4) · family secret (16) · secret (32), in base64url. The session row
// holds hashes of both secrets. States of a token: present → previous → older; of its session: open → ended.
//
// The secret of the next generation is HMAC(salt, secret), the salt random and kept in the row until the generation
// after it. So whoever holds the previous token can be given the present one again, which nobody has to store; who
// reads the database has the salt, but not the token.
// Sources: RFC 9700 §4.14.2 (rotation, and what presenting a used token tells). Why not to refuse what crossed:
// supabase/auth-js #213 (people signed out by their second tab). Why an older token may come within the grace too:
// Auth0 and Supabase accept the immediate predecessor only, and end the family of a client whose retries overtake.
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * For this long a used token is taken for two requests of one client that crossed (two tabs, a retry after a lost
 * answer) and not for theft. Longer than a client waits for an answer; Okta's default is the same.
 */
export const REUSE_GRACE_MS = 30_000;

const ID_BYTES = 16;
const GENERATION_BYTES = 4;
export const FAMILY_BYTES = 16;
const SECRET_BYTES = 32;
const TOKEN_BYTES = ID_BYTES + GENERATION_BYTES + FAMILY_BYTES + SECRET_BYTES;
const TOKEN_PATTERN = new RegExp(`^[\\w-]{${Math.ceil((TOKEN_BYTES * 4) / 3)}}$`);

/** A refresh token in its parts. */
export interface RefreshToken {
  sessionId: string;
  generation: number;
  family: Buffer;
  secret: Buffer;
}

/** The first token of a session; `family` is a secret of FAMILY_BYTES (refresh-family.ts). */
export function createRefreshToken(sessionId: string, family: Buffer = randomBytes(FAMILY_BYTES)): RefreshToken {
  return { sessionId, generation: 0, family, secret: randomBytes(SECRET_BYTES) };
}

/** A salt for the next rotation. */
export const createSalt = (): Buffer => randomBytes(32);

/** The token after this one, decided by the salt. */
export function successorOf(token: RefreshToken, salt: Buffer): RefreshToken {
  const secret = createHmac("sha256", salt).update(token.family).update(token.secret).digest();
  return { ...token, generation: token.generation + 1, secret };
}

/** What the store keeps of a secret. */
export const hashSecret = (secret: Buffer): Buffer => createHash("sha256").update(secret).digest();

/** The text for the client. */
export function formatRefreshToken({ sessionId, generation, family, secret }: RefreshToken): string {
  const head = Buffer.alloc(ID_BYTES + GENERATION_BYTES);
  head.write(sessionId.replaceAll("-", ""), "hex");
  head.writeUInt32BE(generation, ID_BYTES);
  return Buffer.concat([head, family, secret]).toString("base64url");
}

/** Undefined for what is no token of this form. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  if (!TOKEN_PATTERN.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  const id = bytes.toString("hex", 0, ID_BYTES);
  const familyAt = ID_BYTES + GENERATION_BYTES;
  return {
    sessionId: [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join("-"),
    generation: bytes.readUInt32BE(ID_BYTES),
    family: bytes.subarray(familyAt, familyAt + FAMILY_BYTES),
    secret: bytes.subarray(familyAt + FAMILY_BYTES),
  };
}

/** What the store knows of the session whose family a token belongs to. Ages are by the database's clock. */
export interface SessionState {
  isEnded: boolean;
  generation: number;
  secretHash: Buffer;
  successorSalt: Buffer | null;
  /** How long ago the last rotations were, newest first. */
  rotationAgesMs: readonly number[];
}

/**
 * What to do with a presented token:
 * - `rotate`: it is the present one; give its successor and use it up.
 * - `keep`: it is the present one, and so young that late answers may still bring the one before; give it again.
 * - `repeat`: its answer was lost or it came twice; give the same successor again.
 * - `superseded`: others of the client's requests are further on; refuse, and end nothing.
 * - `ended`: the session is over, or is not as far on as the token; refuse.
 * - `replayed`: it was used long ago, or its secret is wrong; refuse and end the session.
 */
export type RefreshVerdict =
  { kind: "rotate" | "keep" | "superseded" | "ended" | "replayed" } | { kind: "repeat"; successor: RefreshToken };

/**
 * `keepsYoung` is for cookies, where the browser keeps what arrived last: were a token rotated again while an earlier
 * answer is on its way, that answer would put back a token which the grace soon calls a replay.
 */
export function judgeRefresh(session: SessionState, token: RefreshToken, keepsYoung = false): RefreshVerdict {
  if (session.isEnded) return { kind: "ended" };
  const behind = session.generation - token.generation;
  if (behind < 0) return { kind: "ended" };
  if (behind === 0) {
    if (!isSecret(token.secret, session.secretHash)) return { kind: "replayed" };
    const lastMs = session.rotationAgesMs[0];
    return { kind: keepsYoung && lastMs !== undefined && lastMs <= REUSE_GRACE_MS ? "keep" : "rotate" };
  }
  const ageMs = session.rotationAgesMs[behind - 1];
  if (ageMs === undefined || ageMs > REUSE_GRACE_MS) return { kind: "replayed" };
  // Of older secrets nothing is kept: they get no tokens, and the grace bounds what they can be used for.
  if (behind > 1 || session.successorSalt === null) return { kind: "superseded" };
  const successor = successorOf(token, session.successorSalt);
  return isSecret(successor.secret, session.secretHash) ? { kind: "repeat", successor } : { kind: "replayed" };
}

function isSecret(secret: Buffer, hash: Buffer): boolean {
  return timingSafeEqual(hashSecret(secret), hash);
}
