// The key under which entries are chained, from the master key: whoever can write the table but does not have it cannot
// make an entry that the check accepts.
import { requireAtStart } from "../config/start-check";
import { deriveKey, masterKeyOfTests, masterKeysIn } from "../security/derived-key";
import { masterKeyset, type Keyset } from "../security/envelope";

const PURPOSE = "audit log";
const SEALS = "audit log seals";

let masterKey = masterKeyOfTests;
let derived: { from: string; keys: readonly [Buffer, ...Buffer[]] } | undefined;

/**
 * Called by every service that records, where it is declared: a process may host it without the audit service.
 * @throws StartError when the master key is missing or unusable.
 */
export function startAudit(service: string, readMasterKey: () => string): void {
  masterKey = readMasterKey;
  requireAtStart(service, { "secret MasterKey": () => void auditKey() });
}

/** The key for new entries. */
export const auditKey = (): Buffer => auditKeys()[0];

/** That and those of earlier master keys, under which entries are kept until retention removes them. */
export function auditKeys(): readonly [Buffer, ...Buffer[]] {
  const from = masterKey?.() ?? "";
  if (derived?.from !== from) {
    const [present, ...before] = masterKeysIn(from);
    derived = { from, keys: [deriveKey(present, PURPOSE), ...before.map((key) => deriveKey(key, PURPOSE))] };
  }
  return derived.keys;
}

/** The keys of seals over where logs begin and end: the first seals. */
export const sealKeys = (): Keyset => masterKeyset(masterKey?.() ?? "", SEALS);
