// The key under which entries are chained, from the master key: whoever can write the table but does not have it cannot
// make an entry that the check accepts.
import { requireAtStart } from "../config/start-check";
import { deriveKey, MasterKeyError, masterKeyOfTests, masterKeysIn } from "../security/derived-key";
import { masterKeyset, type Keyset } from "../security/envelope";

const PURPOSE = "audit log";
const SEALS = "audit log seals";
/**
 * In front of an earlier master key in the secret, once nothing else needs it: it checks entries that were made with it, and seals
 * nothing. Whoever took it could else end a log where they like as long as its entries are kept. It is said in the secret because
 * who can write the database could take it back there. For every other purpose the whole word is another key, which opens nothing.
 */
const FOR_ENTRIES = "entries:";

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
    if (present.startsWith(FOR_ENTRIES))
      throw new MasterKeyError(
        `the first one is for entries of audit logs alone ("${FOR_ENTRIES}"): put another first`,
      );
    const ofEarlier = (key: string): Buffer =>
      deriveKey(key.startsWith(FOR_ENTRIES) ? key.slice(FOR_ENTRIES.length) : key, PURPOSE);
    derived = { from, keys: [deriveKey(present, PURPOSE), ...before.map(ofEarlier)] };
  }
  return derived.keys;
}

/** The keys of seals over where logs begin and end: the first seals. None of those that are for entries alone. */
export const sealKeys = (): Keyset => masterKeyset(masterKey?.() ?? "", SEALS);
