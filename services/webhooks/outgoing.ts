// From an event to deliveries: one message, and a delivery to each endpoint that asks for its type, in the transaction of the event's inbox row.
// To an endpoint that is disabled nothing goes, but what it missed is known, to be replayed.
import { newId } from "../../db/ids";
import type { Tx } from "../../db/tenant";
import { catalog } from "../../events/catalog";
import { webhookReceived } from "../../events/catalog/webhooks";
import type { ReceivedEvent } from "../../events/received";
import type { TenantId } from "../../security/principal";
import { enqueueAttempt } from "./attempt-job";
import { deliveryInsert, deliveryInsertInOrder, messageInsert, type NewDelivery } from "./store/deliveries";
import { endpointListFor, tenantLock, type Recipient } from "./store/endpoints";

/** Of an organisation: each event asks which of them want it. */
export const ENDPOINTS_MAX = 50;

/**
 * The types that go out: what an endpoint may ask for. Not what came in: an endpoint that leads to a source of ours would send its own messages
 * around for ever.
 */
export const eventTypes: ReadonlySet<string> = new Set(
  [...catalog.values()].map(({ type }) => type).filter((type) => type !== webhookReceived.type),
);

export interface Message {
  id: string;
  eventType: string;
  /** Type and id. */
  aggregate: string;
  body: string;
}

/** As receivers get it: the fields that the Standard Webhooks specification proposes ("Payload structure"), and what it is about. */
export function messageOf(
  event: Pick<
    ReceivedEvent<unknown>,
    "id" | "type" | "version" | "aggregateType" | "aggregateId" | "occurredAt" | "payload"
  >,
): Message {
  const { id, type, version, aggregateType, aggregateId, occurredAt, payload } = event;
  const subject = { type: aggregateType, id: aggregateId };
  const body = { id, type, version, timestamp: occurredAt.toISOString(), subject, data: payload };
  return { id, eventType: type, aggregate: `${aggregateType}/${aggregateId}`, body: JSON.stringify(body) };
}

/** In the event's transaction. */
export async function sendEvent(tx: Tx, event: ReceivedEvent<unknown>): Promise<void> {
  const { tenantId, type } = event;
  if (tenantId === null || !eventTypes.has(type)) return;
  const recipients = await endpointListFor(tx, tenantId, type, ENDPOINTS_MAX);
  if (recipients.length > 0) await addMessage(tx, tenantId, messageOf(event), recipients);
}

/** Of those who ask for order one lock is taken before all else; nobody waits in a circle. */
export async function addMessage(
  tx: Tx,
  tenantId: TenantId,
  message: Message,
  recipients: readonly Recipient[],
): Promise<void> {
  if (recipients.some(({ ordering }) => ordering === "aggregate")) await tenantLock(tx, tenantId);
  messageInsert(tx, { tenantId, ...message });
  for (const recipient of recipients) await addDelivery(tx, tenantId, message, recipient);
}

/** Of a message that is there. To one who asks for order the tenant is locked. */
export async function addDelivery(
  tx: Tx,
  tenantId: TenantId,
  { id: messageId, aggregate }: Pick<Message, "id" | "aggregate">,
  { id: endpointId, ordering, status }: Recipient,
): Promise<void> {
  const state: NewDelivery["state"] = status === "active" ? "pending" : "missed";
  const delivery = { id: newId(), tenantId, endpointId, messageId, state };
  if (ordering === "none") deliveryInsert(tx, delivery);
  const begun = ordering === "none" ? state : await deliveryInsertInOrder(tx, delivery, aggregate);
  if (begun === "pending") await enqueueAttempt(tx, { webhookDeliveryId: delivery.id, number: 1, postponed: 0 });
}
