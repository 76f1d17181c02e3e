// The names under which a session remembers how its person showed who they are: those of RFC 8176 where it has one.

/** A password. */
export const BY_PASSWORD: readonly string[] = ["pwd"];
/** An account elsewhere, at an OpenID provider; RFC 8176 has no name for it. */
export const BY_PROVIDER: readonly string[] = ["oidc"];
/** A code that was mailed to the account's address; RFC 8176 has no name for it. */
export const BY_MAIL: readonly string[] = ["mail"];
/** A code that counts with the clock. */
export const BY_CODE: readonly string[] = ["otp"];
/** One of the codes that were written down; RFC 8176 has no name for it. */
export const BY_RECOVERY_CODE: readonly string[] = ["recovery"];
/** A key that never leaves its device (RFC 8176 "pop": proof of possession). */
export const BY_PASSKEY: readonly string[] = ["pop"];
/** Said in addition of whoever showed two different things. */
export const TWICE: readonly string[] = ["mfa"];
