// Codes that count with the clock (RFC 6238), without clock or database. SHA-1, six digits, thirty seconds: what every
// authenticator app reads. The code of a step is good in the step before and after it too, because clocks differ
// (§5.2), and once: whoever saw it typed must not use it again (§5.2, ASVS 5.0 6.5.1; better-auth #10387 and its fix
// #11259, which walks the window the same way).
import { timingSafeEqual } from "node:crypto";
import { Secret, TOTP } from "otpauth";

/** 160 bits, as RFC 4226 §4 recommends. */
export const SECRET_BYTES = 20;
const STEP_SECONDS = 30;
const WINDOW_STEPS = 1;

const totpOf = (secret: Buffer, label: { issuer?: string; label?: string } = {}): TOTP =>
  new TOTP({
    ...label,
    algorithm: "SHA1",
    digits: 6,
    period: STEP_SECONDS,
    secret: new Secret({ buffer: copyOf(secret) }),
  });

/** Of its own memory: a Buffer is part of a larger one. */
function copyOf(secret: Buffer): ArrayBuffer {
  const copy = new ArrayBuffer(secret.length);
  new Uint8Array(copy).set(secret);
  return copy;
}

/** The secret as people type it, and the link that apps read, mostly as a QR code. */
export function describeSecret(
  secret: Buffer,
  account: { issuer: string; email: string },
): { secret: string; uri: string } {
  const totp = totpOf(secret, { issuer: account.issuer, label: account.email });
  return { secret: totp.secret.base32, uri: totp.toString() };
}

/**
 * The step that the code is of: the latest of the window, if it is after `after`, the last step that was used. Every step
 * of the window is computed and compared, whichever fits. Blanks in the code are people's.
 */
export function matchStep(secret: Buffer, code: string, now: Date, after: number | null): number | undefined {
  const digits = code.replaceAll(" ", "");
  if (!/^\d{6}$/.test(digits)) return undefined;
  const totp = totpOf(secret);
  const present = Math.floor(now.getTime() / 1000 / STEP_SECONDS);
  let found: number | undefined;
  for (let step = present - WINDOW_STEPS; step <= present + WINDOW_STEPS; step++) {
    const expected = totp.generate({ timestamp: step * STEP_SECONDS * 1000 });
    const fits = timingSafeEqual(Buffer.from(expected), Buffer.from(digits));
    if (fits && (after === null || step > after)) found = step;
  }
  return found;
}
