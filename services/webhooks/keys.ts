// The keys that sign for an endpoint. They are kept in secrets/, sealed by the organisation's data key, under a name that its endpoints
// leave alone; they are read for each attempt and kept nowhere.
import { z } from "zod";
import type { TenantScope, Tx } from "../../db/tenant";
import type { SecretText } from "../../secrets/secret-text";
import { putSecretIn, readSecret, readSecretIn, removeSecretIn } from "../../secrets/tenant-secret";
import { reasonOf } from "../../security/errors";
import { createSigningKeys, type SigningKeys } from "./signing";

const nameOf = (endpointId: string): string => `app.webhook-endpoint.${endpointId}`;

/** The newest first; the second is good while an endpoint's keys are being replaced. */
const kept = z.object({ keys: z.array(z.object({ secret: z.string(), privateKey: z.string() })).min(1) });

/** @throws APIError too_many_secrets */
export async function putKeys(
  tx: Tx,
  scope: TenantScope,
  endpointId: string,
  keys: readonly SigningKeys[],
): Promise<void> {
  await putSecretIn(tx, scope, nameOf(endpointId), JSON.stringify({ keys }));
}

const keysIn = (text: SecretText): SigningKeys[] => kept.parse(JSON.parse(text.reveal())).keys;

/** @throws APIError secret_not_found, secret_unreadable */
export const readKeys = async (scope: TenantScope, endpointId: string): Promise<SigningKeys[]> =>
  keysIn(await readSecret(scope, nameOf(endpointId)));

/**
 * New keys go before the present ones, which sign on while `previous_until` says so; those before them are gone. Resolves with the new ones.
 * The endpoint is locked. @throws APIError secret_not_found, secret_unreadable
 */
export async function replaceKeys(tx: Tx, scope: TenantScope, endpointId: string): Promise<SigningKeys> {
  const [present] = keysIn(await readSecretIn(tx, scope, nameOf(endpointId)));
  const made = createSigningKeys();
  await putKeys(tx, scope, endpointId, present === undefined ? [made] : [made, present]);
  return made;
}

export const removeKeys = (tx: Tx, scope: TenantScope, endpointId: string): Promise<void> =>
  removeOwn(tx, scope, nameOf(endpointId));

/** A secret of ours, if it is there. */
export async function removeOwn(tx: Tx, scope: TenantScope, name: string): Promise<void> {
  try {
    await removeSecretIn(tx, scope, name);
  } catch (error) {
    if (reasonOf(error) !== "secret_not_found") throw error;
  }
}
