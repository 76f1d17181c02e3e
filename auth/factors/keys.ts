// The keys that seal what the factors keep or hand out.
import { secret } from "encore.dev/config";
import { deriveKey } from "../../security/derived-key";

const masterKey = secret("MasterKey");

const derived = new Map<string, { from: string; key: Buffer }>();

/** Derived once for each master key: deriving costs more than sealing. */
function keyFor(purpose: string): Buffer {
  const from = masterKey();
  let known = derived.get(purpose);
  if (known?.from !== from) derived.set(purpose, (known = { from, key: deriveKey(from, purpose) }));
  return known.key;
}

export const challengeKey = (): Buffer => keyFor("auth challenges");
export const totpKey = (): Buffer => keyFor("totp secrets");
