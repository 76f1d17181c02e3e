// Handing one claimed batch over: aggregates side by side, the rows of one aggregate strictly one after the other. The
// first row that fails stops its aggregate; rows not tried go back untouched. Rows that were refused together are tried
// one by one, so that a bad one costs its neighbours nothing. One that was refused alone often enough, by a destination
// that accepts others, is given up: the transport's trouble is not the event's. Rows of which the destination says that they
// must wait are left out, and the others handed over together. What is done is settled soon after, so that one row whose
// answer is slow holds up its own aggregate only.
import { newId } from "../db/ids";
import { backoffMs, type Backoff } from "../db/backoff";
import { errorText } from "../telemetry/error-text";
import { outboxPublishedTotal, relayLagSeconds } from "../telemetry/metrics";
import { byAggregate } from "./aggregates";
import type { Destination } from "./destinations";
import { handOver, NoAnswerError, type HandOverOptions } from "./hand-over";
import { NotYetError } from "./not-yet";
import type { OutboxRow, OutboxSettlement } from "./store/outbox";

export interface PublishOptions extends HandOverOptions {
  /** Lanes at once. */
  concurrency: number;
  /** Asked before each hand-over: no when the lease runs out or the process stops. */
  mayBegin: () => boolean;
  backoff: Backoff;
  random: () => number;
  /** Refusals of a row, alone and while others are accepted, before it is given up. */
  maxAttempts: number;
  /** Whether the destination has accepted anything lately. */
  isAccepting: () => boolean;
  settle: (settlement: OutboxSettlement) => Promise<void>;
}

export interface BatchReport {
  published: number;
  failed: number;
  /** Failures that were the last: the rows are dead letters now. */
  dead: number;
  /** Failures that were no answer at all. */
  unanswered: number;
  example?: { id: string; error: string };
}

/** Publishes the rows, which must be sorted by position, and settles them. Rejects when a settlement fails. */
export async function publishBatch(
  destination: Destination,
  rows: readonly OutboxRow[],
  options: PublishOptions,
): Promise<BatchReport> {
  const batch = new Batch(destination, options);
  const lanes = lanesOf(rows, destination);
  const runLanes = async (): Promise<void> => {
    for (let lane = lanes.shift(); lane; lane = lanes.shift()) await batch.publishLane(lane);
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, lanes.length) }, runLanes));
  await batch.settled();
  return batch.report;
}

/** Rows that depend on no other lane, handed over `step` at a time. */
interface Lane {
  rows: readonly OutboxRow[];
  step: number;
}

/**
 * One lane for each aggregate with several rows; rows alone in their aggregate share lanes of the batch size. All do, whole
 * aggregates, where the destination keeps the order.
 */
function lanesOf(rows: readonly OutboxRow[], { batchSize, isOrdered = false }: Destination): Lane[] {
  const lanes: Lane[] = [];
  let shared: OutboxRow[] = [];
  for (const aggregate of byAggregate(rows)) {
    if (aggregate.length > 1 && !isOrdered) {
      lanes.push({ rows: aggregate, step: 1 });
      continue;
    }
    if (shared.length > 0 && shared.length + aggregate.length > batchSize) {
      lanes.push({ rows: shared, step: batchSize });
      shared = [];
    }
    shared.push(...aggregate);
  }
  if (shared.length > 0) lanes.push({ rows: shared, step: batchSize });
  return lanes;
}

/** Longest that finished lanes wait for others to be settled together. */
const SETTLE_EVERY_MS = 100;

const REFUSED_ALONE_MAX = 3;

const nothing = (): OutboxSettlement => ({ keys: [], published: [], failed: [], dead: [], released: [] });

class Batch {
  readonly report: BatchReport = { published: 0, failed: 0, dead: 0, unanswered: 0 };
  private done = nothing();
  private timer: NodeJS.Timeout | undefined;
  private settling: Promise<void> = Promise.resolve();

  constructor(
    private readonly destination: Destination,
    private readonly options: PublishOptions,
  ) {}

  async publishLane({ rows, step }: Lane): Promise<void> {
    const lane = nothing();
    for (let at = 0; at < rows.length; at += step) {
      const isLate = !this.options.mayBegin();
      if (!isLate && (await this.publishPart(rows.slice(at, at + step), lane))) continue;
      lane.released.push(...rows.slice(isLate ? at : at + step).map((row) => row.id));
      break;
    }
    this.done.keys.push(...new Set(rows.map((row) => row.aggregateKey)));
    this.done.published.push(...lane.published);
    this.done.failed.push(...lane.failed);
    this.done.dead.push(...lane.dead);
    this.done.released.push(...lane.released);
    this.timer ??= setTimeout(() => this.flush(), SETTLE_EVERY_MS);
  }

  /** Settles what is left; rejects with the first settlement that failed. */
  settled(): Promise<void> {
    this.flush();
    return this.settling;
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.done.keys.length === 0) return;
    const settlement = this.done;
    this.done = nothing();
    const settled = this.options.settle(settlement);
    this.settling = Promise.all([this.settling, settled]).then(() => undefined);
    // Told by settled(); nobody listens before.
    this.settling.catch(() => undefined);
  }

  private async publishPart(part: readonly OutboxRow[], lane: OutboxSettlement): Promise<boolean> {
    try {
      await handOver(this.destination, part, this.options);
    } catch (failure) {
      if (failure instanceof NotYetError) await this.publishOthers(part, lane, failure);
      else if (part.length > 1 && !(failure instanceof NoAnswerError)) await this.publishAlone(part, lane, failure);
      else this.noteFailure(part, lane, failure);
      return false;
    }
    lane.published.push(...part.map((row) => row.id));
    this.report.published += part.length;
    notePublished(part);
    return true;
  }

  /** What must wait has failed, but was not refused; what is behind it in its aggregate waits untouched. */
  private async publishOthers(part: readonly OutboxRow[], lane: OutboxSettlement, notYet: NotYetError): Promise<void> {
    // A destination that names none of them lets none of them wait: without this they would be handed over for ever.
    if (!part.some(({ id }) => notYet.rowIds.has(id))) return this.noteFailure(part, lane, notYet);
    const stuck = new Set<string>();
    const others: OutboxRow[] = [];
    for (const row of part) {
      if (notYet.rowIds.has(row.id) && !stuck.has(row.aggregateKey)) {
        this.noteFailure([row], lane, notYet);
        stuck.add(row.aggregateKey);
      } else if (stuck.has(row.aggregateKey)) lane.released.push(row.id);
      else others.push(row);
    }
    if (others.length === 0) return;
    if (this.options.mayBegin()) await this.publishPart(others, lane);
    else lane.released.push(...others.map(({ id }) => id));
  }

  /** Of rows that were refused together each by itself, but no more than a few of a destination that takes none. */
  private async publishAlone(part: readonly OutboxRow[], lane: OutboxSettlement, together: unknown): Promise<void> {
    let accepted = 0;
    const stuck = new Set<string>();
    for (const [at, row] of part.entries()) {
      if (stuck.has(row.aggregateKey)) {
        lane.released.push(row.id);
        continue;
      }
      if (accepted === 0 && at >= REFUSED_ALONE_MAX) return this.noteFailure(part.slice(at), lane, together);
      if (!this.options.mayBegin()) return void lane.released.push(...part.slice(at).map(({ id }) => id));
      if (await this.publishPart([row], lane)) accepted++;
      else stuck.add(row.aggregateKey);
    }
  }

  private noteFailure(part: readonly OutboxRow[], lane: OutboxSettlement, failure: unknown): void {
    const error = errorText(failure);
    const { backoff, random, maxAttempts, isAccepting } = this.options;
    const isRefused =
      part.length === 1 && !(failure instanceof NotYetError) && (this.report.published > 0 || isAccepting());
    for (const { id, attempts, refusals } of part) {
      if (isRefused && refusals + 1 >= maxAttempts) {
        lane.dead.push({ id, letterId: newId(), error });
        this.report.dead++;
      } else lane.failed.push({ id, retryInMs: backoffMs(backoff, attempts, random), isRefused, error });
    }
    this.report.failed += part.length;
    if (failure instanceof NoAnswerError) this.report.unanswered += part.length;
    this.report.example ??= { id: part[0]?.id ?? "", error };
  }
}

function notePublished(part: readonly OutboxRow[]): void {
  for (const row of part) relayLagSeconds.record(Math.max(0, Date.now() - row.dueAt.getTime()) / 1000);
  outboxPublishedTotal.add(part.length, { destination: part[0]?.destination ?? "" });
}
