// A message as handlers get it, and why one cannot be given to them.
import { tenantIdFrom, type TenantId } from "../security/principal";
import { provenanceOf } from "../security/provenance";
import type { Tx } from "../db/tenant";
import { catalog } from "./catalog";
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
  /** Who caused it: `kind:id` of a principal, or `system…` for what the app did by itself. */
  readonly actor: string;
  /** The same in all that follows from one request. */
  readonly correlationId: string;
  readonly payload: Payload;
}

/**
 * Does the effect inside `tx`, which acts for the event's tenant (for all tenants when the event has none).
 * May be run again with the same event if it throws or the process dies, never after it committed.
 */
export type EventHandler<Payload> = (tx: Tx, event: ReceivedEvent<Payload>) => Promise<void>;

const GIVE_BACK: unique symbol = Symbol.for("groundwork.give-back");

/**
 * Another version of the app emitted it, or handles it. Not the event's fault, so it costs none of its attempts: not here, and not
 * with the host of the process either, which is told by the symbol to take the delivery for none (runtime/pubsub/give-back.ts).
 */
export class UnknownEventError extends Error {
  override readonly name = "UnknownEventError";
  readonly [GIVE_BACK] = true;
  constructor({ type, version }: DomainEvent) {
    const key = `${type}@${version}`;
    const why = catalog.has(key)
      ? "has no handler in this version of the consumer"
      : "is not in the catalogue of this process";
    super(`event ${key} ${why}`);
  }
}

/** Throws UnfitEventError for what no further attempt can mend. */
export function toReceived(message: DomainEvent): ReceivedEvent<unknown> {
  const key = `${message.type}@${message.version}`;
  const definition = catalog.get(key);
  if (!definition) throw new UnknownEventError(message);
  const payload = definition.payload.safeParse(message.payload);
  if (!payload.success)
    throw new UnfitEventError("payload_invalid", `event ${key} ${message.id}: ${payload.error.message}`);
  const { actor, correlationId } = provenanceOf(message);
  return {
    id: message.id,
    tenantId: message.tenantId === null ? null : tenantIdFrom(message.tenantId),
    type: message.type,
    version: message.version,
    aggregateType: message.aggregateType,
    aggregateId: message.aggregateId,
    occurredAt: new Date(message.occurredAt),
    actor,
    correlationId,
    payload: payload.data,
  };
}

export class UnfitEventError extends Error {
  override readonly name = "UnfitEventError";
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}
