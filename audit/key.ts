// The key under which entries are chained, from the master key: whoever can write the table but does not have it cannot
// make an entry that the check accepts.
import { cfg } from "../config";
import { deriveKey } from "../security/derived-key";

const PURPOSE = "audit log";
/** Tests load no service, so nobody hands them the secret. */
const TEST_KEY = "the test databases' master key, which protects nothing";

let masterKey: (() => string) | undefined = cfg.env === "test" ? () => TEST_KEY : undefined;
let derived: { from: string; key: Buffer } | undefined;

/** Where the master key is read. */
export function useAuditKey(read: () => string): void {
  masterKey = read;
}

export function auditKey(): Buffer {
  const from = masterKey?.() ?? "";
  if (derived?.from !== from) derived = { from, key: deriveKey(from, PURPOSE) };
  return derived.key;
}

/** @throws MasterKeyError when it is missing or unusable. */
export function assertAuditKey(): void {
  auditKey();
}
