// Signing keys and master keys by command (scripts/admin.ts): what is done to them stands in the installation's log.
import { defineAction } from "../audit/action";
import { recordForPlatform } from "../audit/platform";
import { retireMasterKey, type SealedRows } from "../db/master-keys";
import { withSystem } from "../db/tenant";
import { onBehalfOf } from "../security/provenance";
import { cfg } from "../config";
import { stateOf, type KeyState, type SigningAlgorithm } from "./key-schedule";
import { signingKeyList } from "./store/signing-keys";
import { keyRing } from "./tokens";

const rotated = defineAction("operator.signing_key.rotated", {});
const revoked = defineAction("operator.signing_key.revoked", {});
const COMMAND = "system:command";

export interface ShownKey {
  kid: string;
  algorithm: SigningAlgorithm;
  state: KeyState;
  signsFrom: Date | undefined;
}

export async function listSigningKeys(): Promise<ShownKey[]> {
  const { keys, databaseMs } = await signingKeyList();
  return keys.map((key) => ({
    kid: key.kid,
    algorithm: key.algorithm,
    state: stateOf(key, keys, databaseMs, cfg.auth.accessTokenSeconds * 1000),
    signsFrom: key.signsFromMs === null ? undefined : new Date(key.signsFromMs),
  }));
}

/** Written down before it is done: what was done and not written down would be worse than the other way round. */
export async function rotateSigningKeysByCommand(): Promise<void> {
  await onBehalfOf(COMMAND, () =>
    withSystem("rotate-signing-keys", (tx) => recordForPlatform(tx, rotated, { fields: {} })),
  );
  await keyRing.rotate(0);
}

/** False when there is no such key. */
export async function revokeSigningKeyByCommand(kid: string): Promise<boolean> {
  const known = (await signingKeyList()).keys.some((key) => key.kid === kid);
  if (!known) return false;
  const target = { type: "signing_key", id: kid };
  await onBehalfOf(COMMAND, () =>
    withSystem("revoke-signing-key", (tx) => recordForPlatform(tx, revoked, { target, fields: {} })),
  );
  return keyRing.revoke(kid);
}

const masterKeyRetired = defineAction("operator.master_key.retired", {});

/** As retireMasterKey, written down. @throws MasterKeyInUseError */
export function retireMasterKeyByCommand(id: string, sealed: readonly SealedRows[]): Promise<number | undefined> {
  const target = { type: "master_key", id };
  return onBehalfOf(COMMAND, () =>
    retireMasterKey(id, sealed, (tx) => recordForPlatform(tx, masterKeyRetired, { target, fields: {} })),
  );
}
