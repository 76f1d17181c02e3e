// The key under which entries are chained, from the master key: whoever can write the table but does not have it cannot
// make an entry that the check accepts.
import { cfg } from "../config";
import { requireAtStart } from "../config/start-check";
import { deriveKey } from "../security/derived-key";

const PURPOSE = "audit log";
/** Tests load no service, so nobody hands them the secret. */
const TEST_KEY = "the test databases' master key, which protects nothing";

let masterKey: (() => string) | undefined = cfg.env === "test" ? () => TEST_KEY : undefined;
let derived: { from: string; key: Buffer } | undefined;

/**
 * Called by every service that records, where it is declared: a process may host it without the audit service.
 * @throws StartError when the master key is missing or unusable.
 */
export function startAudit(service: string, readMasterKey: () => string): void {
  masterKey = readMasterKey;
  requireAtStart(service, { "secret MasterKey": () => void auditKey() });
}

export function auditKey(): Buffer {
  const from = masterKey?.() ?? "";
  if (derived?.from !== from) derived = { from, key: deriveKey(from, PURPOSE) };
  return derived.key;
}
