// Where the host of the process lets an app say which subscriptions a message is for, it is told; elsewhere each
// consumer passes over what it has no handler for.
import type { DomainEvent } from "./topic";

/** As topic.ts names it: Encore wants the name written out there, and reads it off no topic. */
const TOPIC = "domain-events";

type Filter = (topic: string, subscription: string, message: DomainEvent) => boolean;

/** From now on `isWanted` decides on each message of domain-events that this process publishes. */
export function offerFilter(isWanted: (consumer: string, message: DomainEvent) => boolean): void {
  const filter: Filter = (topic, subscription, message) => topic !== TOPIC || isWanted(subscription, message);
  (globalThis as { [key: symbol]: unknown })[Symbol.for("groundwork.wanted-by")] = filter;
}
