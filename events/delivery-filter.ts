// Where the host of the process lets an app say which subscriptions a message is for, it is told; elsewhere each
// consumer passes over what it has no handler for.
import type { DomainEvent } from "./topic";

/** As topic.ts names it: Encore wants the name written out there, and reads it off no topic. */
const TOPIC = "domain-events";

type Filter = (topic: string, subscription: string, message: DomainEvent) => boolean;
type Others = (topic: string, message: DomainEvent) => readonly string[];

/**
 * From now on `isWanted` decides on each message of domain-events that this process publishes, and `others` names subscriptions that
 * are to get it too, of which this version of the app may know nothing.
 */
export function offerFilter(
  isWanted: (consumer: string, message: DomainEvent) => boolean,
  others: (message: DomainEvent) => readonly string[],
): void {
  const filter: Filter = (topic, subscription, message) => topic !== TOPIC || isWanted(subscription, message);
  const elsewhere: Others = (topic, message) => (topic === TOPIC ? others(message) : []);
  const host = globalThis as { [key: symbol]: unknown };
  host[Symbol.for("groundwork.wanted-by")] = filter;
  host[Symbol.for("groundwork.wanted-elsewhere")] = elsewhere;
}

/** How many messages of the subscription of that name the host handles at once in this process; 0 where it handles none, or does not say. */
export function concurrencyHere(consumer: string): number {
  const consumed = (globalThis as { [key: symbol]: unknown })[Symbol.for("groundwork.consumed-here")];
  const concurrency: unknown = consumed instanceof Map ? consumed.get(`${TOPIC} ${consumer}`) : undefined;
  return typeof concurrency === "number" ? concurrency : 0;
}
