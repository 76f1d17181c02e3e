// Who may send webhooks to an organisation: a source has an address of its own here, a scheme of signatures and the secret that it shares
// with us. Whoever sets one up lets its sender say what happened: they are asked in the same transaction whether they still may.
import { z } from "zod";
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { isUuid, newId } from "../../db/ids";
import type { TenantScope, Tx } from "../../db/tenant";
import type { SecretText } from "../../secrets/secret-text";
import { putSecretIn, readSecret, readSecretIn } from "../../secrets/tenant-secret";
import { actorOf, type Principal } from "../../security/principal";
import { changingWebhooks } from "./endpoints";
import { errors } from "./errors";
import type { newSource, sourcePatch } from "./input";
import { removeOwn } from "./keys";
import {
  sourceCount,
  sourceDelete,
  sourceFind,
  sourceInsert,
  sourceLock,
  sourceUpdate,
  type SourceRow,
} from "./store/sources";
import { tenantLock } from "./store/endpoints";

/** Of an organisation: each takes one of its secrets. */
export const SOURCES_MAX = 20;

const created = defineAction("webhooks.source.created", { name: "plain", scheme: "plain" });
const changed = defineAction("webhooks.source.changed", { name: "plain", secret: "plain" });
const removed = defineAction("webhooks.source.removed", {});
const targetOf = (id: string): { type: string; id: string } => ({ type: "webhook_source", id });

const nameOf = (sourceId: string): string => `app.webhook-source.${sourceId}`;
/** The newest first; the second is good while the secret is being replaced. */
const kept = z.object({ secrets: z.array(z.string()).min(1) });
const secretsIn = (text: SecretText): string[] => kept.parse(JSON.parse(text.reveal())).secrets;

const putSecrets = async (tx: Tx, scope: TenantScope, id: string, secrets: readonly string[]): Promise<void> => {
  await putSecretIn(tx, scope, nameOf(id), JSON.stringify({ secrets }));
};

/** What a source's webhooks are verified by. @throws APIError secret_not_found, secret_unreadable */
export const readSecrets = async (scope: TenantScope, id: string): Promise<string[]> =>
  secretsIn(await readSecret(scope, nameOf(id)));

/** @throws APIError too_many_sources, too_many_secrets, invalid_token, permission_denied */
export function createSource(
  principal: Principal,
  { name, scheme, secret }: z.output<typeof newSource>,
): Promise<SourceRow> {
  const { tenantId } = principal;
  return changingWebhooks(principal, async (tx) => {
    await tenantLock(tx, tenantId);
    if ((await sourceCount(tx, tenantId)) >= SOURCES_MAX) throw errors.too_many_sources();
    const id = newId();
    const made = await sourceInsert(tx, { id, tenantId, name, scheme, createdBy: actorOf(principal) });
    await putSecrets(tx, principal, id, [secret]);
    await record(tx, created, { tenantId, target: targetOf(id), fields: { name, scheme } });
    return made;
  });
}

/** @throws APIError source_not_found */
export async function getSource(scope: TenantScope, id: string): Promise<SourceRow> {
  const row = isUuid(id) ? await sourceFind(scope, id) : undefined;
  if (row === undefined) throw errors.source_not_found();
  return row;
}

/**
 * Another name, or another secret, beside which the one before is taken for `overlapHours`.
 * @throws APIError source_not_found, invalid_request, secret_unreadable, invalid_token, permission_denied
 */
export function changeSource(
  principal: Principal,
  id: string,
  change: (scheme: SourceRow["scheme"]) => z.output<typeof sourcePatch>,
): Promise<SourceRow> {
  const { tenantId } = principal;
  return changingWebhooks(principal, async (tx) => {
    const row = isUuid(id) ? await sourceLock(tx, tenantId, id) : undefined;
    if (row === undefined) throw errors.source_not_found();
    const { name, secret, overlapHours } = change(row.scheme);
    if (secret !== null) {
      const [present] = secretsIn(await readSecretIn(tx, principal, nameOf(id)));
      await putSecrets(tx, principal, id, present === undefined ? [secret] : [secret, present]);
    }
    const updated = await sourceUpdate(
      tx,
      { tenantId, id },
      { name, overlapHours: secret === null ? null : overlapHours },
    );
    const fields = { name: updated.name, secret: secret === null ? "the same" : "another" };
    await record(tx, changed, { tenantId, target: targetOf(id), fields });
    return updated;
  });
}

/** Nothing more is taken from it. @throws APIError source_not_found, invalid_token, permission_denied */
export function removeSource(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  return changingWebhooks(principal, async (tx) => {
    if (!isUuid(id) || !(await sourceDelete(tx, tenantId, id))) throw errors.source_not_found();
    await removeOwn(tx, principal, nameOf(id));
    await record(tx, removed, { tenantId, target: targetOf(id), fields: {} });
  });
}
