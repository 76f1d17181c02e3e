// The keys that sign for an endpoint. They are kept in secrets/, sealed by the organisation's data key, under a name that its endpoints
// leave alone; they are read for each attempt and kept nowhere.
import { z } from "zod";
import type { TenantScope, Tx } from "../../db/tenant";
import type { SecretText } from "../../secrets/secret-text";
import { putSecretIn, readSecret, readSecretIn, removeSecretIn } from "../../secrets/tenant-secret";
import { databaseClock } from "../../security/database-clock";
import { reasonOf } from "../../security/errors";
import { createSigningKeys, type SigningKeys } from "./signing";

const nameOf = (endpointId: string): string => `app.webhook-endpoint.${endpointId}`;

/** The newest first; those behind it are being replaced, and say themselves how long they sign: what is read once cannot disagree. */
const kept = z.object({
  keys: z.array(z.object({ secret: z.string(), privateKey: z.string(), untilMs: z.int().optional() })).min(1),
});

interface KeptKeys extends SigningKeys {
  /** Milliseconds since 1970, by the database's clock; absent from the newest, and from what signs no more. */
  untilMs?: number | undefined;
}

/** @throws APIError too_many_secrets */
export async function putKeys(
  tx: Tx,
  scope: TenantScope,
  endpointId: string,
  keys: readonly KeptKeys[],
): Promise<void> {
  await putSecretIn(tx, scope, nameOf(endpointId), JSON.stringify({ keys }));
}

const goodKeysIn = (text: SecretText): KeptKeys[] =>
  kept
    .parse(JSON.parse(text.reveal()))
    .keys.filter(({ untilMs }, at) => at === 0 || (untilMs !== undefined && untilMs > databaseClock.nowMs()));

/** Those that sign now. @throws APIError secret_not_found, secret_unreadable */
export const readKeys = async (scope: TenantScope, endpointId: string): Promise<SigningKeys[]> =>
  goodKeysIn(await readSecret(scope, nameOf(endpointId)));

/**
 * New keys go before those that sign now. Of these the newest and the oldest sign on until then; null: none does. An answer with keys may be
 * lost, and whoever asks again must not end the keys that the receiver knows. Resolves with the new ones. The endpoint is locked.
 * @throws APIError secret_not_found, secret_unreadable
 */
export async function replaceKeys(
  tx: Tx,
  scope: TenantScope,
  endpointId: string,
  previousUntil: Date | null,
): Promise<SigningKeys> {
  const before = goodKeysIn(await readSecretIn(tx, scope, nameOf(endpointId)));
  const stay = previousUntil === null ? [] : before.filter((_, at) => at === 0 || at === before.length - 1);
  const made = createSigningKeys();
  const untilMs = previousUntil?.getTime();
  await putKeys(tx, scope, endpointId, [made, ...stay.map((keys) => ({ ...keys, untilMs }))]);
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
