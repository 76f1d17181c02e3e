// Sending again what was sent, and a message that only tries whether it arrives. What is sent again is another delivery of the same message,
// under the id that it had: a receiver that has had it knows it.
import type { z } from "zod";
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { parseCursor } from "../../db/cursor";
import { isUuid, newId } from "../../db/ids";
import { withTenant, type Tx } from "../../db/tenant";
import type { Principal, TenantId } from "../../security/principal";
import { targetOf } from "./endpoints";
import { errors } from "./errors";
import type { replay } from "./input";
import { addDelivery, addMessage, messageOf } from "./outgoing";
import { sentList, type DeliveryState } from "./store/deliveries";
import { endpointLock, endpointOrdering, tenantLock, type EndpointRow } from "./store/endpoints";

const replayed = defineAction("webhooks.endpoint.replayed", { messages: "plain" });

const BATCH_MAX = 100;
const STATES: Readonly<Record<"undelivered" | "all", readonly DeliveryState[]>> = {
  undelivered: ["missed", "failed"],
  // What is on its way already is not sent beside itself.
  all: ["missed", "failed", "delivered"],
};

/**
 * It stays active until the transaction ends. Where order is kept the tenant is locked, before the endpoint as everywhere; what is asked
 * for while somebody turns that on goes as it was before. @throws APIError endpoint_not_found, endpoint_disabled
 */
async function lockActive(tx: Tx, tenantId: TenantId, id: string): Promise<EndpointRow> {
  const ordering = isUuid(id) ? await endpointOrdering(tx, tenantId, id) : undefined;
  if (ordering === undefined) throw errors.endpoint_not_found();
  if (ordering === "aggregate") await tenantLock(tx, tenantId);
  const endpoint = await endpointLock(tx, tenantId, id);
  if (endpoint === undefined) throw errors.endpoint_not_found();
  if (endpoint.status === "disabled") throw errors.endpoint_disabled();
  return { ...endpoint, ordering };
}

/** @throws APIError endpoint_not_found, endpoint_disabled, webhook_message_not_found, invalid_request */
export function replayMessages(
  principal: Principal,
  endpointId: string,
  { messageId, from, until, which, cursor }: z.output<typeof replay>,
): Promise<{ replayed: number; next?: string }> {
  const { tenantId } = principal;
  const behind = parseCursor(cursor);
  return withTenant(principal, async (tx) => {
    const endpoint = await lockActive(tx, tenantId, endpointId);
    const states = messageId === undefined ? STATES[which] : STATES.all;
    const filter = { endpointId, messageId: messageId ?? null, from: from ?? null, until: until ?? null, states };
    const { rows, next } = await sentList(tx, { tenantId, limit: BATCH_MAX }, filter, behind);
    if (messageId !== undefined && rows.length === 0) throw errors.webhook_message_not_found();
    for (const message of rows) await addDelivery(tx, tenantId, message, endpoint);
    await record(tx, replayed, { target: targetOf(endpointId), fields: { messages: rows.length } });
    return { replayed: rows.length, ...(next === undefined ? {} : { next }) };
  });
}

/** Of no event: no endpoint can ask for it, and no other gets it. */
export const TEST_TYPE = "webhooks.test";

/** Resolves with the message's id. @throws APIError endpoint_not_found, endpoint_disabled */
export function sendTestMessage({ tenantId }: Principal, endpointId: string, now: Date): Promise<string> {
  return withTenant({ tenantId }, async (tx) => {
    const endpoint = await lockActive(tx, tenantId, endpointId);
    const about = { aggregateType: "webhook_endpoint", aggregateId: endpointId };
    const message = messageOf({ id: newId(), type: TEST_TYPE, version: 1, ...about, occurredAt: now, payload: {} });
    await addMessage(tx, tenantId, message, [endpoint]);
    return message.id;
  });
}
