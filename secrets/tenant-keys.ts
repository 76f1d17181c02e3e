// The data keys of an organisation: 256 random bits each, sealed by the master key and bound to the organisation. The newest
// seals, all of them open; so one can be replaced while what it sealed is still there, and deleting them makes everything
// unreadable that they sealed, wherever copies of it are (crypto-shredding, NIST SP 800-88r1 §2.6, "cryptographic erase"), but for
// copies that have the sealed keys too, as a backup of the database: those open while the master key of their time is there.
import { randomBytes } from "node:crypto";
import { newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import { EnvelopeError, keysetOf, masterKeyset, open, seal, type Keyset, type SealingKey } from "../security/envelope";
import { masterKeyOfTests } from "../security/derived-key";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { errors } from "./errors";
import { tenantKeyInsert, tenantKeyList, type TenantKeyRow } from "./store";

const PURPOSE = "tenant keys";
const KEY_BYTES = 32;

let masterKey = masterKeyOfTests;

/** Where the secret MasterKey is read. @throws MasterKeyError */
export function useMasterKey(read: () => string): void {
  masterKey = read;
  masterKeys();
}

/** The keys that seal data keys. @throws MasterKeyError */
export const masterKeys = (): Keyset => masterKeyset(masterKey?.() ?? "", PURPOSE);

const contextOf = (tenantId: string, id: string): string => `secrets.tenant_key:${tenantId}:${id}`;

/** A data key under the present master key. @throws EnvelopeError */
export function rewrapped({ tenantId, id, sealed }: TenantKeyRow): Buffer {
  const keys = masterKeys();
  const context = contextOf(tenantId, id);
  return seal(keys, open(keys, sealed, context), context);
}

/** The organisation's data keys, the newest first. Makes the first one. @throws APIError secret_unreadable */
export async function tenantKeyset(tx: Tx, tenantId: TenantId): Promise<Keyset> {
  const opened = opening(await tenantKeyList(tx, tenantId));
  const [newest, ...others] = opened;
  return newest === undefined ? addTenantKey(tx, tenantId) : [newest, ...others];
}

/** A new data key: it seals from now on. */
export async function addTenantKey(tx: Tx, tenantId: TenantId): Promise<Keyset> {
  const id = newId();
  const key = randomBytes(KEY_BYTES);
  const keyset = keysetOf(key);
  const sealed = seal(masterKeys(), key, contextOf(tenantId, id));
  await tenantKeyInsert(tx, { id, tenantId, sealed, keyId: keyset[0].id });
  return [keyset[0], ...opening((await tenantKeyList(tx, tenantId)).filter((row) => row.id !== id))];
}

/** One that does not open is left out, unless it is the newest, which nothing may be sealed without. */
function opening(rows: readonly TenantKeyRow[]): SealingKey[] {
  return rows.flatMap((row, at) => {
    try {
      return [keysetOf(open(masterKeys(), row.sealed, contextOf(row.tenantId, row.id)))[0]];
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      logger("secrets").error(
        { err: error, tenantKey: row.id },
        "a tenant's data key does not open: put its master key back",
      );
      if (at === 0) throw errors.secret_unreadable({ cause: error });
      return [];
    }
  });
}
