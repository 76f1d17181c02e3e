// Consumers: what makes at-least-once delivery act once. The inbox row and the effect commit together, so a
// second delivery finds the row and does nothing. A failing event is counted in a transaction of its own;
// after the last attempt it becomes a dead letter and the transport is told "done".
// Source: Hohpe & Woolf, Enterprise Integration Patterns, "Idempotent Receiver" and "Dead Letter Channel".
import type { TenantId } from "../security/principal";
import { cfg } from "../config";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { continueTrace } from "../telemetry/tracing";
import { catalog, type EventKey, type PayloadOfKey } from "./catalog";
import { buryEvent } from "./dead-letters";
import { inboxCountFailure, inboxRecord } from "./store";
import type { DomainEvent } from "./topic";

/** An event as a handler gets it: payload checked against its schema. */
export interface ReceivedEvent<Payload> {
  readonly id: string;
  readonly tenantId: TenantId | null;
  readonly type: string;
  readonly version: number;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly occurredAt: Date;
  readonly payload: Payload;
}

/**
 * Does the effect inside `tx`, which acts for the event's tenant (for all tenants when the event has none).
 * May be run again with the same event if it throws or the process dies, never after it committed.
 */
export type EventHandler<Payload> = (tx: Tx, event: ReceivedEvent<Payload>) => Promise<void>;

export type EventHandlers = { readonly [K in EventKey]?: EventHandler<PayloadOfKey<K>> };

/**
 * The subscription handler of one consumer. `name` is its identity in the inbox: renaming it makes it handle
 * every retained event again. Events it has no handler for are acknowledged. Throws while attempts are left,
 * so that the transport delivers again after its backoff.
 */
export function consumer(name: string, handlers: EventHandlers): (message: DomainEvent) => Promise<void> {
  const byKey = new Map(Object.entries(handlers)) as Map<string, EventHandler<unknown>>;
  return async (message) => {
    const handler = byKey.get(`${message.type}@${message.version}`);
    if (!handler) return;
    const attributes = { "messaging.operation.type": "process", "messaging.message.id": message.id, "messaging.destination.name": name };
    await continueTrace(message.headers, `consume ${message.type}`, { kind: "consumer", attributes }, () => receive(name, message, handler));
  };
}

async function receive(name: string, message: DomainEvent, handler: EventHandler<unknown>): Promise<void> {
  try {
    const event = toReceived(message);
    await inScopeOf(event.tenantId, `consume-${name}`, async (tx) => {
      if (await inboxRecord(tx, name, message)) await handler(tx, event);
    });
  } catch (error) {
    await settleFailure(name, message, error);
  }
}

function toReceived(message: DomainEvent): ReceivedEvent<unknown> {
  const definition = catalog.get(`${message.type}@${message.version}`);
  if (!definition) throw new TypeError(`event ${message.type}@${message.version} is not in the catalogue`);
  return {
    id: message.id,
    tenantId: message.tenantId as TenantId | null,
    type: message.type,
    version: message.version,
    aggregateType: message.aggregateType,
    aggregateId: message.aggregateId,
    occurredAt: new Date(message.occurredAt),
    payload: definition.payload.parse(message.payload),
  };
}

function inScopeOf(tenantId: TenantId | null, reason: string, fn: (tx: Tx) => Promise<void>): Promise<void> {
  return tenantId === null ? withSystem(reason, fn) : withTenant({ tenantId }, fn);
}

async function settleFailure(name: string, message: DomainEvent, error: unknown): Promise<void> {
  const log = logger("events");
  const isBuried = await withSystem(`consume-failed-${name}`, async (tx) => {
    const attempts = await inboxCountFailure(tx, name, message, textOf(error));
    if (attempts < cfg.events.maxAttempts) return false;
    await buryEvent(tx, name, message, { reason: "attempts_exhausted", error: textOf(error), attempts });
    return true;
  });
  const facts = { err: error, consumer: name, eventId: message.id, type: message.type };
  if (!isBuried) {
    log.warn(facts, "an event could not be handled and will be delivered again");
    throw error;
  }
  log.error(facts, "an event was given up: see the dead letters");
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
