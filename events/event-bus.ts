// Events inside one process: immediate, not durable, for listeners that may miss one (caches, live views).
// What must not be lost goes through emit() and a consumer.
import { logger } from "../telemetry/logger";
import { catalog, type EventKey, type PayloadOfKey } from "./catalog";

export type EventListener<Payload> = (payload: Payload) => void | Promise<void>;

export interface EventBus {
  /** Calls every listener of the event; resolves when all have settled. Throws ZodError when the payload does not fit. */
  publish<K extends EventKey>(key: K, payload: PayloadOfKey<K>): Promise<void>;
  /** Listens from now on; the function it returns ends that. */
  subscribe<K extends EventKey>(key: K, listener: EventListener<PayloadOfKey<K>>): () => void;
}

/** A bus of its own; a listener that fails is logged and disturbs neither the publisher nor the others. */
export function createEventBus(): EventBus {
  const listeners = new Map<string, Set<EventListener<unknown>>>();
  return {
    async publish(key, payload) {
      const fitting = catalog.get(key)?.payload.parse(payload);
      const calls = [...(listeners.get(key) ?? [])].map(async (listener) => listener(fitting));
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === "rejected")
          logger("events").error(
            { err: result.reason as unknown, event: key },
            "a listener of the in-process bus failed",
          );
      }
    },
    subscribe(key, listener) {
      const known = listeners.get(key) ?? new Set();
      listeners.set(key, known);
      const entry = listener as EventListener<unknown>;
      known.add(entry);
      return () => known.delete(entry);
    },
  };
}

/** The process's own bus. */
export const eventBus: EventBus = createEventBus();
