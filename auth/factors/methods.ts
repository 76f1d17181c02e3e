// The names under which a session remembers how its person showed who they are: those of RFC 8176 where it has one.
import { NOT_OWN } from "../../security/own-proof";

/** A password. */
export const BY_PASSWORD: readonly string[] = ["pwd"];
/** An account elsewhere, at an OpenID provider of the installation; RFC 8176 has no name for it. */
export const BY_PROVIDER: readonly string[] = ["oidc"];
/** The same at the provider of an organisation, which speaks for that organisation alone (security/own-proof.ts). */
export const BY_ORGANISATION: readonly string[] = [NOT_OWN];
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
