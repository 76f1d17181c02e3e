// Who publishes an outbox row, by its `destination`. Events are published here; layers above register theirs.
import { byAggregate } from "./aggregates";
import { direct } from "./direct-delivery";
import { domainEvents, messageOf } from "./topic";
import type { OutboxRow } from "./store/outbox";

export type { OutboxRow };

export interface Destination {
  /**
   * Hands rows over, in the order given. Resolves when all are accepted; rejecting means none of them counts as
   * published, so accepting a row twice must be harmless. An answer that does not come in time counts as a failure:
   * `signal` aborts then, and whoever can should give up.
   */
  publish(rows: readonly OutboxRow[], signal: AbortSignal): Promise<void>;
  /** Rows handed over together at most. 1 keeps one bad row from holding up its neighbours. */
  readonly batchSize: number;
  /** Whether rows of one aggregate may be handed over together too: it keeps their order. */
  readonly isOrdered?: boolean;
}

const destinations = new Map<string, Destination>([
  ["event", { batchSize: 50, isOrdered: true, publish: publishEvents }],
]);

const listeners = new Set<() => void>();

/** Makes `destination` known to the relays of this process. A second registration replaces the first. */
export function registerDestination(name: string, destination: Destination): void {
  destinations.set(name, destination);
  for (const listener of listeners) listener();
}

/** Calls the listener after each registration, until the function it returns is called. */
export function onDestination(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Names of all that are registered. Rows of any other stay in the outbox for a process that knows it. */
export function destinationNames(): string[] {
  return [...destinations.keys()];
}

/** Undefined when nobody registered it. */
export function destinationOf(name: string): Destination | undefined {
  return destinations.get(name);
}

async function publishEvents(rows: readonly OutboxRow[], signal: AbortSignal): Promise<void> {
  const publish = async (): Promise<void> => {
    await Promise.all(
      byAggregate(rows).map(async (lane) => {
        for (const row of lane) await domainEvents.publish(messageOf(row));
      }),
    );
  };
  await direct.before(rows, publish, signal);
}
