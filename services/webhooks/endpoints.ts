// Where an organisation's webhooks go. Whoever sets one up reads from then on, elsewhere, what happens in the organisation: they are asked
// in the same transaction whether they still may. The keys are shown once, to whoever made them.
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { withActing } from "../../db/acting";
import { isUuid, newId } from "../../db/ids";
import type { TenantScope, Tx } from "../../db/tenant";
import { actorOf, type Principal } from "../../security/principal";
import type { z } from "zod";
import { errors } from "./errors";
import type { endpointPatch, newEndpoint } from "./input";
import { putKeys, removeKeys, replaceKeys } from "./keys";
import { ENDPOINTS_MAX } from "./outgoing";
import { createSigningKeys, publicKeyOf, type SigningKeys } from "./signing";
import {
  endpointCount,
  endpointDelete,
  endpointFind,
  endpointInsert,
  endpointLock,
  endpointRotate,
  endpointUpdate,
  tenantLock,
  type EndpointRow,
} from "./store/endpoints";

const FIELDS = { host: "plain", event_types: "plain", ordering: "plain", status: "plain" } as const;
const created = defineAction("webhooks.endpoint.created", FIELDS);
const changed = defineAction("webhooks.endpoint.changed", FIELDS);
const removed = defineAction("webhooks.endpoint.removed", {});
const rotated = defineAction("webhooks.endpoint.rotated", { overlap_hours: "plain" });

/** What a receiver verifies by, each by itself. */
export interface ShownKeys {
  /** `whsec_…`, of HMAC-SHA256. */
  secret: string;
  /** `whpk_…`, of ed25519. */
  publicKey: string;
}

const shownKeys = (keys: SigningKeys): ShownKeys => ({ secret: keys.secret, publicKey: publicKeyOf(keys) });

export const changingWebhooks = <T>(principal: Principal, work: (tx: Tx) => Promise<T>): Promise<T> =>
  withActing(principal, { permission: "webhook.manage", reason: "change-webhooks" }, work);

export const targetOf = (id: string): { type: string; id: string } => ({ type: "webhook_endpoint", id });

/** What the log tells: not the address, which may hold a token. */
const logged = ({ url, eventTypes, ordering, status }: EndpointRow): Record<keyof typeof FIELDS, string> => ({
  ...{ host: new URL(url).host, event_types: eventTypes.join(" "), ordering, status },
});

/** @throws APIError too_many_endpoints, too_many_secrets, invalid_token, permission_denied */
export async function createEndpoint(
  principal: Principal,
  endpoint: z.output<typeof newEndpoint>,
): Promise<{ row: EndpointRow; keys: ShownKeys }> {
  const { tenantId } = principal;
  const keys = createSigningKeys();
  const row = await changingWebhooks(principal, async (tx) => {
    await tenantLock(tx, tenantId);
    if ((await endpointCount(tx, tenantId)) >= ENDPOINTS_MAX) throw errors.too_many_endpoints();
    const id = newId();
    const made = await endpointInsert(tx, { ...endpoint, id, tenantId, createdBy: actorOf(principal) });
    await putKeys(tx, principal, id, [keys]);
    await record(tx, created, { tenantId, target: targetOf(id), fields: logged(made) });
    return made;
  });
  return { row, keys: shownKeys(keys) };
}

/**
 * New keys sign from now on, the ones before too for `overlapHours`.
 * @throws APIError endpoint_not_found, secret_unreadable, invalid_token, permission_denied
 */
export async function rotateEndpointKeys(
  principal: Principal,
  id: string,
  overlapHours: number,
): Promise<{ row: EndpointRow; keys: ShownKeys }> {
  const { tenantId } = principal;
  return changingWebhooks(principal, async (tx) => {
    if (!isUuid(id) || (await endpointLock(tx, tenantId, id)) === undefined) throw errors.endpoint_not_found();
    const row = await endpointRotate(tx, tenantId, id, overlapHours);
    const keys = await replaceKeys(tx, principal, id, row.previousUntil);
    await record(tx, rotated, { tenantId, target: targetOf(id), fields: { overlap_hours: overlapHours } });
    return { row, keys: shownKeys(keys) };
  });
}

/** @throws APIError endpoint_not_found */
export async function getEndpoint(scope: TenantScope, id: string): Promise<EndpointRow> {
  const row = isUuid(id) ? await endpointFind(scope, id) : undefined;
  if (row === undefined) throw errors.endpoint_not_found();
  return row;
}

/** @throws APIError endpoint_not_found, invalid_token, permission_denied */
export function changeEndpoint(
  principal: Principal,
  id: string,
  change: z.output<typeof endpointPatch>,
): Promise<EndpointRow> {
  const { tenantId } = principal;
  return changingWebhooks(principal, async (tx) => {
    const row = isUuid(id) ? await endpointUpdate(tx, { tenantId, id }, change) : undefined;
    if (row === undefined) throw errors.endpoint_not_found();
    await record(tx, changed, { tenantId, target: targetOf(id), fields: logged(row) });
    return row;
  });
}

/** Nothing more goes there, also of what waits. @throws APIError endpoint_not_found, invalid_token, permission_denied */
export function removeEndpoint(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  return changingWebhooks(principal, async (tx) => {
    if (!isUuid(id) || !(await endpointDelete(tx, tenantId, id))) throw errors.endpoint_not_found();
    await removeKeys(tx, principal, id);
    await record(tx, removed, { tenantId, target: targetOf(id), fields: {} });
  });
}
