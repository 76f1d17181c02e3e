// Who publishes an outbox row, by its `destination`. Events are published here; layers above register theirs.
import { byAggregate } from "./aggregates";
import { catalog } from "./catalog";
import { declarations } from "./declarations";
import { direct } from "./direct-delivery";
import { NotYetError } from "./not-yet";
import { domainEvents, messageOf } from "./topic";
import type { OutboxRow } from "./store/outbox";

export type { OutboxRow };

export interface Destination {
  /**
   * Hands rows over, in the order given. Resolves when all are accepted; rejecting means none of them counts as
   * published, so accepting a row twice must be harmless. A NotYetError names those that must wait; the others come again at once. An answer that does not come in time counts as a failure:
   * `signal` aborts then, and whoever can should give up.
   */
  publish(rows: readonly OutboxRow[], signal: AbortSignal): Promise<void>;
  /** Rows handed over together at most. 1 keeps one bad row from holding up its neighbours. */
  readonly batchSize: number;
  /** Whether rows of one aggregate may be handed over together too: it keeps their order. */
  readonly isOrdered?: boolean;
}

/** The consumers: those of this process directly, the others by the topic. */
export const eventDestination: Destination = { batchSize: 100, isOrdered: true, publish: publishEvents };

const destinations = new Map<string, Destination>([["event", eventDestination]]);

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
  await versionsDeclared(rows);
  const publish = async (): Promise<void> => {
    await Promise.all(
      byAggregate(rows).map(async (lane) => {
        for (const row of lane) await domainEvents.publish(messageOf(row));
      }),
    );
  };
  await direct.before(rows, publish, signal);
}

/**
 * Hand-overs of an event that no version knows which is declared, before it is published all the same: some twenty seconds of
 * the relay's back-off. Whoever emitted it declares its consumers as soon as it has started.
 */
const UNDECLARED_ATTEMPTS = 8;

/**
 * Rejects while an event is of a version of the app that is only just starting: a consumer that only that one has is not known of
 * yet, and would never get it.
 */
async function versionsDeclared(rows: readonly OutboxRow[]): Promise<void> {
  const foreign = rows.filter((row) => !catalog.has(keyOf(row)));
  if (foreign.length === 0) return;
  await declarations.refresh();
  const early = foreign.filter((row) => row.attempts < UNDECLARED_ATTEMPTS && !declarations.isKnownToAny(keyOf(row)));
  const keys = [...new Set(early.map(keyOf))].join(", ");
  if (early.length > 0)
    throw new NotYetError(
      `event ${keys} is of a version of the app that has not declared its consumers yet`,
      new Set(early.map(({ id }) => id)),
    );
}

const keyOf = ({ type, version }: OutboxRow): string => `${type}@${version}`;
