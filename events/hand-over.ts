// One hand-over: rows given to their destination, and an answer awaited no longer than the lease allows. A destination
// that hangs is indistinguishable from one that is slow, so its answer may still come; it is counted as a failure
// until then. What hangs keeps its promise and its rows in memory, hence the count of those without an answer.
import { trackWork } from "../telemetry/shutdown";
import { continueTrace, isFollowed } from "../telemetry/tracing";
import type { Destination } from "./destinations";
import type { OutboxRow } from "./store/outbox";

export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

export interface HandOverOptions {
  /** Monotonic time (performance.now) until which the answer counts. */
  answerByMs: number;
  /** Aborts when the process stops and waits no longer. */
  stop: AbortSignal;
  /** Called when rows are accepted after their time. */
  onLate: (rows: readonly OutboxRow[]) => void;
  /** Hand-overs of the destination that have had no answer in time and may still get one, and since when (performance.now), the oldest first. */
  unanswered: Map<object, number>;
}

/** Resolves when the destination has accepted the rows; rejects with its error, or with NoAnswerError. */
export async function handOver(
  destination: Destination,
  rows: readonly OutboxRow[],
  { answerByMs, stop, onLate, unanswered }: HandOverOptions,
): Promise<void> {
  const giveUp = new AbortController();
  const answer = publishTraced(destination, rows, giveUp.signal);
  const waitMs = Math.max(0, answerByMs - performance.now());
  try {
    await within(answer, waitMs, stop);
  } catch (error) {
    if (error instanceof NoAnswerError) {
      unanswered.set(answer, performance.now());
      void answer
        .then(
          () => onLate(rows),
          () => undefined,
        )
        .finally(() => unanswered.delete(answer));
      giveUp.abort(error);
    }
    throw error;
  }
}

/** The promise's outcome if it comes within `ms` and before `stop`; leaves neither timer nor listener behind. */
function within(promise: Promise<void>, ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", onStop);
      settle();
    };
    const onStop = (): void => end(() => reject(new NoAnswerError("no answer before the process stopped")));
    const timer = setTimeout(() => end(() => reject(new NoAnswerError(`no answer within ${Math.round(ms)} ms`))), ms);
    stop.addEventListener("abort", onStop);
    promise.then(
      () => end(resolve),
      (error: unknown) => end(() => reject(error)),
    );
    if (stop.aborted) onStop();
  });
}

/** Each row is handed over in the trace that wrote it; several rows are one act seen by each of their traces. */
async function publishTraced(destination: Destination, rows: readonly OutboxRow[], signal: AbortSignal): Promise<void> {
  const [first] = rows;
  if (!first) return;
  if (rows.length === 1) return inTraceOf(first, async () => destination.publish(rows, signal));
  const publish = async (): Promise<void> => destination.publish(rows, signal);
  if (!isFollowed()) return trackWork(publish);
  const together = publish();
  await Promise.all(rows.map((row) => inTraceOf(row, () => together)));
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
