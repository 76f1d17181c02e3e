// Refresh tokens: 256 random bits, good for one use, kept as SHA-256. What a presented token means is decided
// here, without clock or database. States of a token: fresh → used; of its session: open → ended.
// Source: RFC 9700 §4.14.2 (rotation, and what presenting a used token tells).
import { createHash, randomBytes } from "node:crypto";

/**
 * For this long a used token is taken for two requests of one client that crossed (two tabs, a retry after a
 * lost answer) and not for theft: it gets no tokens, but the session lives on. Longer would give a thief who
 * was first time to go unnoticed; zero signs people out for opening two tabs.
 */
export const REUSE_GRACE_MS = 5_000;

export interface NewRefreshToken {
  /** For the client, once. */
  token: string;
  /** For the store. */
  hash: Buffer;
}

export function createRefreshToken(): NewRefreshToken {
  const token = randomBytes(32).toString("base64url");
  return { token, hash: hashRefreshToken(token) };
}

export function hashRefreshToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

export interface PresentedToken {
  usedAt: Date | null;
  sessionExpiresAt: Date;
  sessionRevokedAt: Date | null;
}

/**
 * What to do with a presented token: `rotate` it, refuse it (`ended`: session over, `crossed`: used a moment ago), or
 * refuse it and end the session (`reused`).
 */
export type RefreshVerdict = "rotate" | "ended" | "crossed" | "reused";

export function judgeRefresh(presented: PresentedToken, now: Date): RefreshVerdict {
  if (presented.sessionRevokedAt !== null || presented.sessionExpiresAt <= now) return "ended";
  if (presented.usedAt === null) return "rotate";
  return now.getTime() - presented.usedAt.getTime() <= REUSE_GRACE_MS ? "crossed" : "reused";
}
