// Passwords: which are accepted (NIST SP 800-63B: length and a list of common ones, no rules of composition)
// and how they are kept (Argon2id, OWASP Password Storage Cheat Sheet). Checking takes the same work
// whether or not the account exists.
import { hash, verify } from "@node-rs/argon2";
import { cfg } from "../config";
import { BoundedTurns } from "./bounded-turns";
import { isCommonPassword } from "./common-passwords";

/** Characters as people count them (code points), after normalisation. */
export const PASSWORD_MIN_CHARS = 8;
export const PASSWORD_MAX_CHARS = 128;

/**
 * The algorithm's default is Argon2id. `owasp`: 19 MiB, two passes, one lane, about 40 ms of one core. `lowest` is the least that the
 * algorithm takes: config refuses it outside of tests.
 */
const COSTS = {
  owasp: { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 },
  lowest: { memoryCost: 8, timeCost: 1, parallelism: 1, outputLen: 32 },
} as const;
const ARGON2ID = COSTS[cfg.auth.passwordHashCost];

/** How a hash made with these begins: one that begins otherwise is made anew when its password is known. */
const PRESENT = `$argon2id$v=19$m=${ARGON2ID.memoryCost},t=${ARGON2ID.timeCost},p=${ARGON2ID.parallelism}$`;

/**
 * Hashing runs in libuv's pool of threads, four as a rule, which files and name look-ups need too: two at a time leave it
 * room, and waiting for a turn ends before a client gives up. What comes beyond is refused, not queued without end.
 */
const turns = new BoundedTurns(2, 64);

let dummy: Promise<string> | undefined;

/** Of a random password nobody has, with the parameters above: what an unknown e-mail is checked against. */
const dummyHash = (): Promise<string> =>
  (dummy ??= hash(crypto.randomUUID(), ARGON2ID).catch((error: unknown) => {
    dummy = undefined;
    throw error;
  }));

/** In UTF-16 units, before anything else is done with it: no normalisation makes so long a text short enough. */
const PASSWORD_MAX_UNITS = 8 * PASSWORD_MAX_CHARS;

/** What is wrong with a new password by the policy alone, for people; undefined when nothing is (password-screen.ts asks for more). */
export function passwordProblem(password: string, email: string): string | undefined {
  if (password.length > PASSWORD_MAX_UNITS) return `is longer than ${PASSWORD_MAX_CHARS} characters`;
  const text = normalisePassword(password);
  const chars = [...text].length;
  if (chars < PASSWORD_MIN_CHARS) return `is shorter than ${PASSWORD_MIN_CHARS} characters`;
  if (chars > PASSWORD_MAX_CHARS) return `is longer than ${PASSWORD_MAX_CHARS} characters`;
  if (new Set(text).size < 4) return "repeats too few characters";
  if (isCommonPassword(text)) return "is among the most common passwords";
  const lower = text.toLowerCase();
  if (lower === email || lower === email.slice(0, email.indexOf("@"))) return "is your e-mail";
  return undefined;
}

/**
 * The PHC string to store. Who has the higher `rank` waits behind those who have a lower one (attempts.ts); 0 is for who has
 * shown already who they are. @throws APIError service_unavailable when too many wait.
 */
export function hashPassword(password: string, rank = 0): Promise<string> {
  return turns.run(() => hash(normalisePassword(password), ARGON2ID), rank);
}

/** Whether a stored hash was made with other parameters than new ones are. */
export const needsRehash = (stored: string): boolean => !stored.startsWith(PRESENT);

/**
 * Whether the password fits. Without a stored hash it does the same work and answers false. Waits and
 * throws as hashPassword.
 */
export async function checkPassword(password: string, stored: string | null | undefined, rank = 0): Promise<boolean> {
  const fits = await turns.run(async () => {
    // Whoever is asked about, and first of all: where it cannot be made, nobody is told apart by that.
    const nobodys = await dummyHash();
    return verify(stored ?? nobodys, normalisePassword(password));
  }, rank);
  return typeof stored === "string" && fits;
}

/**
 * The same password typed on another keyboard is the same password (NIST: NFKC). One that is too long to be anybody's stays
 * as it is: normalising takes the square of a text of combining marks, and who signs in may send a megabyte of them.
 */
export function normalisePassword(password: string): string {
  return password.length > PASSWORD_MAX_UNITS ? password : password.normalize("NFKC");
}
