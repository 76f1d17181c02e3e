// Tokens of operators: what `operator add` prints, links to the console, and sessions. 256 random bits behind a prefix that scanners of leaked
// secrets can look for; no JSON Web Token, so that no service that verifies those can mistake one for a customer's.
import { createHash, randomBytes } from "node:crypto";

const PREFIXES = { setup: "gws_", session: "gwo_", link: "gwl_" } as const;
const BYTES = 32;
const CHARS = 4 + Math.ceil((BYTES * 4) / 3);

export const SESSION_PREFIX = PREFIXES.session;

export const createToken = (kind: keyof typeof PREFIXES): string =>
  PREFIXES[kind] + randomBytes(BYTES).toString("base64url");

/** Whether the text could be one: most of what is none ends here. */
export const isToken = (kind: keyof typeof PREFIXES, text: string): boolean =>
  text.length === CHARS && text.startsWith(PREFIXES[kind]);

export const hashToken = (text: string): Buffer => createHash("sha256").update(text).digest();
