// What lies between the first step of a ceremony and its second: whom it is for and what for, sealed and given to the
// client, so that beginning costs no row and nobody can fill a table with beginnings. Its end consumes it: the id is
// noted in the transaction of what it does, so of many ends of one challenge one has an effect (store: used_challenge).
// States: open (until `expiresAt`) → consumed. A wrong answer leaves it open: answers are counted per account.
// Its time is the database's, like a token's: another replica than the one that began it may be asked for its end.
// Challenges of one purpose are none for another (ASVS 5.0 6.6.2), and a WebAuthn challenge is derived from the text, so
// that a signature belongs to one ceremony of one purpose (WebAuthn Level 3 §13.4.3).
import { createHash } from "node:crypto";
import { z } from "zod";
import { newId } from "../../db/ids";
import { databaseClock } from "../../security/database-clock";
import { EnvelopeError, open, seal } from "../../security/envelope";
import { challengeKey } from "./keys";

export type Purpose =
  | "second-factor"
  | "passkey-registration"
  | "passkey-sign-in"
  | "passkey-step-up"
  | "oidc-sign-in"
  | "oidc-link"
  | "oidc-step-up";

/** Long enough to find one's telephone. */
export const CHALLENGE_SECONDS = 300;
const TEXT_MAX = 2_048;

const vouch = z.object({
  tenantId: z.uuid(),
  /** What a session keeps of it: another one once the provider is another. */
  vouchId: z.uuid(),
});
/** The provider of an organisation that vouched for somebody who signs in. */
export type Vouch = z.infer<typeof vouch>;

const content = z.object({
  id: z.uuid(),
  expiresAtMs: z.number(),
  /** Whom it is for; absent where the answer tells. */
  accountId: z.uuid().optional(),
  /** The session that asked. */
  sessionId: z.uuid().optional(),
  /** Of the credentials that were shown first: once they change, what began with them is over. */
  credentialTag: z.string().optional(),
  /** How its person showed who they are before: what a session that begins with it will say. */
  first: z.array(z.string()).optional(),
  /** Of the account elsewhere that they signed in to first: once it is unlinked, what began with it is over. */
  identityId: z.uuid().optional(),
  /** Of an organisation's provider that they showed first. */
  vouch: vouch.optional(),
  /** Of a way to a provider and back (auth/oidc/state.ts). */
  oidc: z.object({ provider: z.string(), verifier: z.string(), nonce: z.string(), browser: z.string() }).optional(),
});

export type Challenge = z.infer<typeof content>;

export function createChallenge(
  purpose: Purpose,
  about: Omit<Challenge, "id" | "expiresAtMs">,
  now: Date,
  seconds = CHALLENGE_SECONDS,
): string {
  const expiresAtMs = databaseClock.at(now).getTime() + seconds * 1000;
  const challenge: Challenge = { ...about, id: newId(), expiresAtMs };
  return seal(challengeKey(), Buffer.from(JSON.stringify(challenge)), contextOf(purpose)).toString("base64url");
}

/** Undefined for what is no challenge of ours for this purpose, or too old. Any text may be given. */
export function readChallenge(purpose: Purpose, text: string, now: Date): Challenge | undefined {
  if (text.length > TEXT_MAX || !/^[\w-]+$/.test(text)) return undefined;
  try {
    const plain = open(challengeKey(), Buffer.from(text, "base64url"), contextOf(purpose));
    const challenge = content.parse(JSON.parse(plain.toString()));
    return challenge.expiresAtMs > databaseClock.at(now).getTime() ? challenge : undefined;
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

/** The bytes that an authenticator signs for this challenge, in base64url. */
export const webauthnChallengeOf = (text: string): string =>
  createHash("sha256").update("webauthn").update(text).digest("base64url");

/** Tells whether credentials are still those of before, and nothing else of them. */
export const credentialTagOf = (secret: string | null): string =>
  createHash("sha256")
    .update("credential")
    .update(secret ?? "")
    .digest("base64url");

const contextOf = (purpose: Purpose): string => `challenge:${purpose}`;
