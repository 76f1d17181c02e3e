// Handing one claimed batch over: aggregates side by side, the rows of one aggregate strictly one after the
// other. The first row that fails stops its aggregate; rows not tried go back untouched.
import { outboxPublishedTotal, relayLagSeconds } from "../telemetry/metrics";
import { continueTrace } from "../telemetry/tracing";
import { backoffMs, type Backoff } from "../db/backoff";
import { destinationOf } from "./destinations";
import type { OutboxFailure, OutboxRow } from "./store/outbox";

export interface BatchOutcome {
  published: string[];
  failed: OutboxFailure[];
  /** Not tried: behind a failed row, or out of time. */
  released: string[];
}

export interface PublishOptions {
  /** Lanes at once. */
  concurrency: number;
  /** Monotonic time (performance.now) after which nothing more is begun: the lease is running out. */
  deadlineMs: number;
  backoff: Backoff;
  random: () => number;
}

/** Publishes the rows, which must be sorted by position. Never rejects. */
export async function publishBatch(rows: readonly OutboxRow[], options: PublishOptions): Promise<BatchOutcome> {
  const outcome: BatchOutcome = { published: [], failed: [], released: [] };
  const lanes = lanesOf(rows);
  const runLanes = async (): Promise<void> => {
    for (let lane = lanes.shift(); lane; lane = lanes.shift()) await publishLane(lane, options, outcome);
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, lanes.length) }, runLanes));
  return outcome;
}

/** Rows that depend on no other lane, handed over `step` at a time. */
interface Lane {
  rows: readonly OutboxRow[];
  step: number;
}

/** One lane for each aggregate with several rows; rows alone in their aggregate share lanes of their destination's batch size. */
function lanesOf(rows: readonly OutboxRow[]): Lane[] {
  const lanes: Lane[] = [];
  const alone = new Map<string, OutboxRow[]>();
  for (const aggregate of groupBy(rows, (row) =>
    JSON.stringify([row.destination, row.aggregateType, row.aggregateId]),
  ).values()) {
    const [first] = aggregate;
    if (aggregate.length > 1 || !first) lanes.push({ rows: aggregate, step: 1 });
    else alone.set(first.destination, [...(alone.get(first.destination) ?? []), first]);
  }
  for (const [destination, singles] of alone) {
    for (const part of chunk(singles, batchSizeOf(destination))) lanes.push({ rows: part, step: part.length });
  }
  return lanes;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function batchSizeOf(destination: string): number {
  try {
    return destinationOf(destination).batchSize;
  } catch {
    return 1;
  }
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let at = 0; at < items.length; at += size) chunks.push(items.slice(at, at + size));
  return chunks;
}

async function publishLane({ rows, step }: Lane, options: PublishOptions, outcome: BatchOutcome): Promise<void> {
  for (let at = 0; at < rows.length; at += step) {
    const isLate = performance.now() >= options.deadlineMs;
    if (!isLate && (await publishPart(rows.slice(at, at + step), options, outcome))) continue;
    const untried = rows.slice(isLate ? at : at + step);
    outcome.released.push(...untried.map((row) => row.id));
    return;
  }
}

async function publishPart(
  part: readonly OutboxRow[],
  options: PublishOptions,
  outcome: BatchOutcome,
): Promise<boolean> {
  try {
    await handOver(part);
    outcome.published.push(...part.map((row) => row.id));
    return true;
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    outcome.failed.push(
      ...part.map((row) => ({
        id: row.id,
        retryInMs: backoffMs(options.backoff, row.attempts, options.random),
        error: text.slice(0, 2000),
      })),
    );
    return false;
  }
}

/** Each row is handed over in the trace that wrote it; a part of several rows is one act seen by each of their traces. */
async function handOver(part: readonly OutboxRow[]): Promise<void> {
  const [first] = part;
  if (!first) return;
  const destination = destinationOf(first.destination);
  if (part.length === 1) await inTraceOf(first, () => destination.publish(part));
  else {
    const together = destination.publish(part);
    await Promise.all(part.map((row) => inTraceOf(row, () => together)));
  }
  for (const row of part) relayLagSeconds.record(Math.max(0, Date.now() - row.createdAt.getTime()) / 1000);
  outboxPublishedTotal.add(part.length, { destination: first.destination });
}

function inTraceOf(row: OutboxRow, fn: () => Promise<void>): Promise<void> {
  const attributes = {
    "messaging.operation.type": "publish",
    "messaging.message.id": row.id,
    "messaging.destination.name": row.destination,
  };
  return continueTrace(
    row.headers,
    `publish ${row.type}`,
    { kind: "producer", attributes, ...(row.tenantId === null ? {} : { log: { tenantId: row.tenantId } }) },
    fn,
  );
}
