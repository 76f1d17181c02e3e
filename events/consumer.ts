// Consumers: what makes at-least-once delivery act once. The inbox row and the effect commit together, so a
// second delivery finds the row and does nothing. A failing event is counted in a transaction of its own, one that was
// lost with its process before its next attempt; after the last attempt it becomes a dead letter and the transport is
// told "done". So it is of what comes while the consumer is held, which waits elsewhere (holds.ts).
// Source: Hohpe & Woolf, Enterprise Integration Patterns, "Idempotent Receiver" and "Dead Letter Channel".
import { causedBy } from "../security/provenance";
import { cfg } from "../config";
import { inScopeOf } from "./scope-of-event";
import { withSystem } from "../db/tenant";
import { eventDurationSeconds, eventsConsumedTotal } from "../telemetry/metrics";
import { logger } from "../telemetry/logger";
import { continueTrace, type ContinueOptions } from "../telemetry/tracing";
import { catalog, type EventKey, type PayloadOfKey } from "./catalog";
import { buryEvent } from "./dead-letters";
import { declarations } from "./declarations";
import { HeldError, holdDelivered, holds, heldPosition, heldRound } from "./holds";
import { deliveryAttempt as deliveryAttemptNow, OneAtATime } from "./lost-deliveries";
import { toReceived, UnfitEventError, UnknownEventError, type EventHandler } from "./received";
import { settleFailure, type Receiver } from "./settle-failure";
import { RELAY } from "./store/dead-letter";
import { detourEnd, detourEndIn } from "./store/detour";
import { heldInsertDelivered } from "./store/hold";
import { inboxAttempts, inboxCountFailure, inboxRecord, inboxUncount, type InboxStanding } from "./store/inbox";
import { REDRIVE_CONSUMER, type DomainEvent } from "./topic";
import { withOlderVersions } from "./upcasting";

export type { EventHandler, ReceivedEvent } from "./received";
export { UNKNOWN_EVENT_HOURS } from "./settle-failure";

export type EventHandlers = { readonly [K in EventKey]?: EventHandler<PayloadOfKey<K>> };

export interface ConsumerOptions {
  /** Tries before an event becomes a dead letter; EVENTS_MAX_ATTEMPTS when it is not said. */
  maxAttempts?: number;
  /** How often the transport has delivered the event at hand, this time included; asked of Encore when it is not said. */
  deliveryAttempt?: () => number;
}

/**
 * The subscription handler of one consumer. `name` is its identity in the inbox: renaming it makes it handle
 * every retained event again. Events of the catalogue that no version of it which runs has a handler for are
 * acknowledged; an event that another version handles, or that the catalogue of this process does not know, is not. Throws while
 * attempts are left, so that the transport delivers again after its backoff. Events of older versions than it handles come
 * upcast (upcasting.ts).
 */
export function consumer(
  name: string,
  handlers: EventHandlers,
  { maxAttempts = cfg.events.maxAttempts, deliveryAttempt = deliveryAttemptNow }: ConsumerOptions = {},
): (message: DomainEvent) => Promise<void> {
  const receiver = { name, maxAttempts, lostOnes: new OneAtATime() };
  if (name.startsWith(RELAY)) throw new TypeError(`a consumer's name may not begin with ${RELAY}: "${name}"`);
  const byKey = withOlderVersions(new Map(Object.entries(handlers)) as Map<string, EventHandler<unknown>>);
  declarations.declare(name, [...byKey.keys()]);
  localConsumers.set(name, { name, maxAttempts, byKey });
  return async (message) => {
    const onlyFor = message.headers[REDRIVE_CONSUMER];
    if (onlyFor !== undefined && onlyFor !== name) return;
    const key = `${message.type}@${message.version}`;
    const handler = byKey.get(key);
    if (!handler && catalog.has(key) && !(await declarations.isHandledElsewhere(name, key)))
      return detourEnd(name, message.id);
    const attempt = deliveryAttempt();
    await asConsequence(name, message, () => deliver(receiver, message, handler, attempt));
  };
}

/** A consumer of this process, as the relay finds it (direct-delivery.ts). */
export interface LocalConsumer extends Receiver {
  readonly byKey: ReadonlyMap<string, EventHandler<unknown>>;
}

/** By name. One that is declared again replaces the first. */
export const localConsumers = new Map<string, LocalConsumer>();

/** Runs the handling of an event in the trace that emitted it, on behalf of who caused it. */
export function asConsequence<T>(consumer: string, message: DomainEvent, fn: () => T): T {
  const options: ContinueOptions = {
    kind: "consumer",
    attributes: {
      "messaging.operation.type": "process",
      "messaging.message.id": message.id,
      "messaging.destination.name": consumer,
    },
    log: message.tenantId === null ? {} : { tenantId: message.tenantId },
  };
  return continueTrace(message.headers, `consume ${message.type}`, options, () => causedBy(message, fn));
}

interface TopicReceiver extends Receiver {
  lostOnes: OneAtATime;
}

type Handler = EventHandler<unknown> | undefined;

/** A delivery before this one that nothing is known of ended with its process: see lost-deliveries.ts. */
async function deliver(
  receiver: TopicReceiver,
  message: DomainEvent,
  handler: Handler,
  attempt: number,
): Promise<void> {
  if ((await holds.isHeld(receiver.name)) && (await holdDelivered(receiver.name, message))) return;
  const wasLost = attempt > 1 && attempt - 1 > (await inboxAttempts(receiver.name, message.id));
  if (!handler || !wasLost) return void (await receive(receiver, message, handler, handler ? 1 : 0));
  await receiver.lostOnes.take(async () => {
    if (!(await countBeforehand(receiver, message))) return;
    const outcome = await receive(receiver, message, handler, 0);
    if (outcome === "held" || outcome === "duplicate") await inboxUncount(receiver.name, message.id);
  });
}

/**
 * Counts the attempt that is about to begin. False when the event is done with, was given up here, or was put by, because the consumer
 * was held while others had their turn.
 */
function countBeforehand({ name, maxAttempts }: Receiver, message: DomainEvent): Promise<boolean> {
  const error = "the process ended while it handled the event";
  return withSystem("consume-failed", async (tx) => {
    if (await heldInsertDelivered(tx, name, message, heldPosition(message.headers))) return false;
    const seen = await inboxCountFailure(tx, name, message, error, 1);
    if (seen === null) {
      await detourEndIn(tx, name, message.id);
      return false;
    }
    if (seen.attempts <= maxAttempts) return true;
    const burial = { reason: "stalled_too_often", error, attempts: maxAttempts };
    await buryEvent(tx, name, message, burial);
    const facts = { consumer: name, eventId: message.id, type: message.type, reason: burial.reason };
    logger("events").error(facts, "an event was given up: the processes that handled it kept ending");
    return false;
  });
}

type Outcome = "handled" | "duplicate" | "held" | "failed" | "given_back";

/** `costs` is what a failure adds to the attempts that are counted. */
async function receive(receiver: Receiver, message: DomainEvent, handler: Handler, costs: number): Promise<Outcome> {
  const { name } = receiver;
  const startedAt = performance.now();
  let outcome: Outcome = "failed";
  try {
    if (!handler) throw new UnknownEventError(message);
    outcome = await handleOnce(name, message, handler);
  } catch (error) {
    const settled = await settleFailure(receiver, message, error, costs).catch((thrown: unknown) => {
      if (thrown instanceof UnknownEventError) outcome = "given_back";
      throw thrown;
    });
    if (settled === "known" && error instanceof UnknownEventError) outcome = "duplicate";
  } finally {
    eventsConsumedTotal.add(1, { consumer: name, outcome });
    eventDurationSeconds.record((performance.now() - startedAt) / 1000, { consumer: name });
  }
  return outcome;
}

/** Handles the event, unless the consumer has done so; puts it by while it may not be begun. */
async function handleOnce(name: string, message: DomainEvent, handler: EventHandler<unknown>): Promise<Outcome> {
  const event = toReceived(message);
  const held = { position: heldPosition(message.headers), round: heldRound(message.headers) };
  for (;;) {
    const standing = await inScopeOf(event.tenantId, async (tx): Promise<InboxStanding> => {
      const noted = await inboxRecord(tx, name, message, held);
      if (noted === "held") throw new HeldError();
      if (noted === "fresh") await handler(tx, event);
      return noted;
    }).catch((error: unknown): InboxStanding => {
      if (error instanceof HeldError) return "held";
      throw error;
    });
    if (standing === "fresh") return "handled";
    if (standing === "known") return "duplicate";
    // Neither any more by now: it is asked again.
    if (await holdDelivered(name, message)) return "held";
  }
}

/**
 * For an event that only the app itself says, of no tenant: one that comes as a tenant's is given up, whatever it names.
 * Otherwise a tenant's event with another one's id in it would act on that one (a confused deputy).
 */
export function ofPlatform<Payload>(handler: EventHandler<Payload>): EventHandler<Payload> {
  return (tx, event) => {
    if (event.tenantId === null) return handler(tx, event);
    throw new UnfitEventError("not_of_the_platform", `event ${event.type} ${event.id} came as a tenant's`);
  };
}
