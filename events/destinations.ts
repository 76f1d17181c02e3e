// Who publishes an outbox row, by its `destination`. Events are published here; layers above register theirs.
import { domainEvents, REDRIVE_OF } from "./topic";
import type { OutboxRow } from "./store/outbox";

export type { OutboxRow };

export interface Destination {
  /**
   * Hands rows over, in the order given. Resolves when all are accepted; rejecting means none of them counts
   * as published, so accepting a row twice must be harmless.
   */
  publish(rows: readonly OutboxRow[]): Promise<void>;
  /** Rows handed over together at most. 1 keeps one bad row from holding up its neighbours. */
  readonly batchSize: number;
}

const destinations = new Map<string, Destination>();

/** Makes `destination` known to the relay of this process. A second registration replaces the first. */
export function registerDestination(name: string, destination: Destination): void {
  destinations.set(name, destination);
}

/** Throws when nobody registered: the row stays in the outbox and is tried again. */
export function destinationOf(name: string): Destination {
  const found = destinations.get(name);
  if (!found) throw new Error(`no destination "${name}" in this process`);
  return found;
}

registerDestination("event", { batchSize: 1, publish: publishEvents });

async function publishEvents(rows: readonly OutboxRow[]): Promise<void> {
  for (const row of rows) {
    await domainEvents.publish({
      id: row.headers[REDRIVE_OF] ?? row.id,
      tenantId: row.tenantId,
      type: row.type,
      version: row.version,
      aggregateType: row.aggregateType,
      aggregateId: row.aggregateId,
      payload: row.payload,
      headers: row.headers,
      occurredAt: row.occurredAt.toISOString(),
    });
  }
}
