// Several events of one consumer in one transaction of their tenant: inbox rows and effects of all of them commit together.
// Each has its own outcome: one that fails rolls the others back with it, is counted by itself, and the others run again
// without it and without what follows it in its aggregate. So a failing event neither loses nor repeats its neighbours'
// effects, and costs nobody a savepoint: Postgres pays for one with a subtransaction even when nothing fails. Where a statement
// fails that its handler did not wait for (tx.executeLater), nobody knows whose it was, and the events run one by one.
import { DbError, type DbErrorKind } from "../db/errors";
import type { Tx } from "../db/tenant";
import { eventDurationSeconds, eventsConsumedTotal } from "../telemetry/metrics";
import { byAggregate } from "./aggregates";
import { asConsequence, type LocalConsumer } from "./consumer";
import { HeldError } from "./holds";
import { toReceived, type ReceivedEvent } from "./received";
import { inScopeOf } from "./scope-of-event";
import { settleFailure } from "./settle-failure";
import { inboxLeave, inboxRecordTogether } from "./store/inbox";
import type { DomainEvent } from "./topic";

export interface Entry {
  readonly message: DomainEvent;
  /** Entries of the same key are handled in their order, or not at all behind one that failed. */
  readonly aggregateKey: string;
}

export interface TogetherOptions {
  /** Transactions at once. */
  transactions: number;
  /** Asked before each event. */
  mayGoOn: () => boolean;
  /** Told of each event that the consumer is done with: handled, known already, or given up. */
  onDone: (entry: Entry) => void;
}

/** Events in one transaction at most: bounds what a failure repeats, and how long rows stay locked. */
const TOGETHER_MAX = 50;
/** Failures of one transaction's events after which the rest goes another way. */
const FAILURES_MAX = 3;

/**
 * Gives the entries to the consumer, those of an aggregate in their order; returns when it may not go on, or the consumer is held.
 * Those that `onDone` was not told of are still to be delivered. Rejects when a transaction failed for another reason than a handler.
 */
export async function receiveTogether(
  consumer: LocalConsumer,
  entries: readonly Entry[],
  options: TogetherOptions,
): Promise<void> {
  const parts = partsOf(entries, Math.ceil(entries.length / options.transactions));
  let isHeld = false;
  const mayGoOn = (): boolean => !isHeld && options.mayGoOn();
  const lane = async (): Promise<void> => {
    for (let part = parts.shift(); part && mayGoOn(); part = parts.shift())
      await receivePart(consumer, part, { ...options, mayGoOn }).catch((error: unknown) => {
        if (!(error instanceof HeldError)) throw error;
        isHeld = true;
      });
  };
  const lanes = await Promise.allSettled(Array.from({ length: options.transactions }, lane));
  for (const outcome of lanes) if (outcome.status === "rejected") throw outcome.reason;
}

/** What may share a transaction: whole aggregates of one tenant, about `size` events. A longer aggregate is a part of its own. */
function partsOf(entries: readonly Entry[], size: number): Entry[][] {
  const open = new Map<string | null, Entry[]>();
  const parts: Entry[][] = [];
  for (const aggregate of byAggregate(entries)) {
    const tenantId = aggregate[0]?.message.tenantId ?? null;
    let part = open.get(tenantId);
    if (part === undefined || part.length + aggregate.length > Math.min(size, TOGETHER_MAX)) {
      parts.push((part = []));
      open.set(tenantId, part);
    }
    part.push(...aggregate);
  }
  return parts;
}

/** Gives up on the part when too many of it fail: what is not done goes another way. */
async function receivePart(consumer: LocalConsumer, part: readonly Entry[], options: TogetherOptions): Promise<void> {
  let left = part;
  let size = part.length;
  let failures = 0;
  while (left.length > 0 && failures < FAILURES_MAX && options.mayGoOn()) {
    const now = left.slice(0, size);
    const outcome = await attempt(consumer, now, options.mayGoOn);
    for (const entry of outcome.done) options.onDone(entry);
    if (outcome.isComplete && (now.length === left.length || outcome.done.length < now.length)) return;
    // One by one it tells whose it is.
    if (outcome.isNobodys) size = 1;
    else if (!outcome.isComplete) failures++;
    left = withoutSettled(left, outcome);
  }
}

/** What is still to be tried: not what follows a failure in its aggregate. */
function withoutSettled(left: readonly Entry[], { done, failed }: Attempt): readonly Entry[] {
  const settled = new Set(done);
  const from = failed === undefined ? left.length : left.indexOf(failed);
  return left.filter(
    (entry, at) =>
      !settled.has(entry) && entry !== failed && (at < from || entry.aggregateKey !== failed?.aggregateKey),
  );
}

interface Attempt {
  done: readonly Entry[];
  /** Whether the transaction committed: what is not done was not to be begun. */
  isComplete: boolean;
  /** Whose handler threw: counted, and to be delivered again. */
  failed?: Entry;
  /** A statement failed that a handler had not waited for, and several had run. */
  isNobodys?: boolean;
}

/** Of what a handler has asked for, as far as can be told: nothing that the database or the process does to whoever is at work. */
const isOfAHandler = (error: unknown): boolean =>
  error instanceof DbError && error.sqlState !== undefined && !error.retryable && !OF_THE_SERVER.has(error.kind);

const OF_THE_SERVER: ReadonlySet<DbErrorKind> = new Set([
  "unavailable",
  "pool_exhausted",
  "lock_timeout",
  "statement_timeout",
  "misuse",
]);

async function attempt(consumer: LocalConsumer, entries: readonly Entry[], mayGoOn: () => boolean): Promise<Attempt> {
  const startedAt = performance.now();
  let at: Entry | undefined;
  let run: Run = { handled: [], duplicates: [] };
  try {
    const received = entries.map((entry) => {
      at = entry;
      return { entry, event: toReceived(entry.message) };
    });
    at = undefined;
    await inScopeOf(received[0]?.event.tenantId ?? null, async (tx) => {
      // It runs again after a deadlock.
      at = undefined;
      run = await handleAll(tx, consumer, received, mayGoOn, (entry) => (at = entry));
    });
  } catch (error) {
    // A deadlock is nobody's fault: its events go another way.
    if (error instanceof DbError && error.retryable) throw error;
    if (at === undefined && isOfAHandler(error)) {
      if (entries.length > 1) return { done: [], isComplete: false, isNobodys: true };
      at = entries[0];
    }
    if (at === undefined) throw error;
    eventsConsumedTotal.add(1, { consumer: consumer.name, outcome: "failed" });
    const { message } = at;
    const isOver = await asConsequence(consumer.name, message, () => settleFailure(consumer, message, error, 1)).then(
      () => true,
      () => false,
    );
    return isOver ? { done: [at], isComplete: false } : { done: [], failed: at, isComplete: false };
  }
  const { handled, duplicates } = run;
  if (handled.length > 0) eventsConsumedTotal.add(handled.length, { consumer: consumer.name, outcome: "handled" });
  if (duplicates.length > 0)
    eventsConsumedTotal.add(duplicates.length, { consumer: consumer.name, outcome: "duplicate" });
  const seconds = (performance.now() - startedAt) / 1000 / Math.max(1, handled.length);
  for (const _ of handled) eventDurationSeconds.record(seconds, { consumer: consumer.name });
  return { done: [...duplicates, ...handled], isComplete: true };
}

interface Run {
  handled: Entry[];
  duplicates: Entry[];
}

/** `onHandler` is told whose handler runs, and undefined when none does. */
async function handleAll(
  tx: Tx,
  { name, byKey }: LocalConsumer,
  received: readonly { entry: Entry; event: ReceivedEvent<unknown> }[],
  mayGoOn: () => boolean,
  onHandler: (entry: Entry | undefined) => void,
): Promise<Run> {
  const messages = received.map(({ entry }) => entry.message);
  const fresh = await inboxRecordTogether(tx, name, messages[0]?.tenantId ?? null, messages);
  if (fresh === null) throw new HeldError();
  const run: Run = {
    handled: [],
    duplicates: received.map(({ entry }) => entry).filter(({ message }) => !fresh.has(message.id)),
  };
  const todo = received.filter(({ event }) => fresh.has(event.id));
  for (const [index, { entry, event }] of todo.entries()) {
    if (index > 0 && !mayGoOn()) {
      await inboxLeave(
        tx,
        name,
        todo.slice(index).map((later) => later.event.id),
      );
      break;
    }
    onHandler(entry);
    // What handlers before it have emitted travels with its statements: a failure of those may be theirs, and is nobody's.
    const isAlone = tx.unsent === 0;
    try {
      await asConsequence(name, entry.message, async () => byKey.get(`${event.type}@${event.version}`)?.(tx, event));
      // Or the next event would be blamed for what this one's handler caught.
      if (tx.isAborted)
        throw new DbError("transaction_aborted", "a statement of the handler failed: its transaction cannot commit");
    } catch (error) {
      if (!isAlone && (error instanceof DbError || tx.isAborted)) onHandler(undefined);
      throw error;
    }
    onHandler(undefined);
    run.handled.push(entry);
  }
  return run;
}
