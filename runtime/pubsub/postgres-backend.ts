// BullMQ's Postgres backend with four of its habits changed: all slots of a consumer write and claim together
// (Turns) instead of one statement each; all queues of a process share one connection pool and one listener (Wakeups)
// instead of holding a connection each; a broker that is away does not turn a handled message into a failed one; and
// a message that was given back keeps its place. BullMQ's event stream, which nobody reads here, is not written.
import { setTimeout as delay } from "node:timers/promises";
import {
  PostgresQueueBackend,
  type BackendFactory,
  type JobJson,
  type PostgresConnection,
  type PostgresConnectionOptions,
} from "bullmq";
import type { Pool } from "pg";
import { isBrokerAway } from "../broker-errors";
import { postgresJobOptions } from "./bullmq-options";
import { Turns, type ClaimedRow, type Outcome, type TurnResult } from "./turns";
import type { Wakeups } from "./wakeups";

const nothing: [] = [];

/** What a backend needs beyond BullMQ's own options. */
export interface WakingOptions {
  pool: Pool;
  wakeups: Wakeups;
  reconnectMs: number;
  lockMs: number;
  giveBackMs: number;
  ordered: boolean;
  lostDeliveriesMax: number;
}

type Base = PostgresQueueBackend;
type NextJob = Awaited<ReturnType<Base["moveToActive"]>>;

const toJob = (row: ClaimedRow): JobJson => ({
  id: row.id,
  name: "message",
  data: row.data,
  opts: postgresJobOptions,
  progress: 0,
  attemptsMade: row.attempts_made,
  attemptsStarted: row.attempts_started,
  timestamp: Number(row.at),
  failedReason: row.failed_reason ?? "",
  stacktrace: row.stacktrace ?? "[]",
  returnvalue: "null",
  stalledCounter: row.stalled_count,
  ...(row.deferred_failure === null ? {} : { deferredFailure: row.deferred_failure }),
});

/**
 * As the worker expects it: job, its id, a rate limit that we do not have, when to look for the next delayed one. That is
 * told by this process's clock, however far it is from the database's, which decides what is due. Who looks first takes it: for what
 * was given back each process draws that anew, or the nearest to the database could always be the one that can't use it.
 */
function toNextJob({ claimed, next }: TurnResult, giveBackMs: number): NextJob {
  if (claimed) return [toJob(claimed), claimed.id, 0, 0];
  if (!next) return [null, "", 0, 0];
  const drawnMs = next.isGivenBack ? Math.random() * giveBackMs : 0;
  return [null, "", 0, Math.ceil(Date.now() + next.waitMs + drawnMs)];
}

export class WakingBackend extends PostgresQueueBackend {
  readonly #options: WakingOptions;
  readonly #turns: Turns;
  #seen = 0;
  #blocking = new AbortController();

  constructor(
    connection: PostgresConnection,
    name: string,
    opts: ConstructorParameters<typeof PostgresQueueBackend>[2],
    options: WakingOptions,
  ) {
    super(connection, name, opts, false);
    this.#options = options;
    this.#turns = new Turns(options.pool, { queue: name, lockMs: options.lockMs, ordered: options.ordered });
  }

  override get maximumBlockTimeout(): number {
    return 3600;
  }

  override async moveToActive(token: string): Promise<NextJob> {
    this.#seen = this.#options.wakeups.signals(this.queueName);
    try {
      return toNextJob(await this.#turns.take({ claim: token }), this.#options.giveBackMs);
    } catch (error) {
      // The worker would ask again at once.
      if (isBrokerAway(error))
        await delay(this.#options.reconnectMs, undefined, { signal: this.#blocking.signal }).catch(() => undefined);
      throw error;
    }
  }

  /** The handler has run: keeps trying until the broker knows, or the worker is closing. */
  async #finish(outcome: Outcome, fetchNext: boolean): Promise<NextJob | undefined> {
    const claim = fetchNext && !this.closing ? { claim: outcome.token } : {};
    for (;;) {
      try {
        const result = await this.#turns.take({ outcome, ...claim });
        if (!result.settled && !result.claimed)
          throw new Error(`the lock on message ${outcome.id} was lost: it is being delivered again`);
        return fetchNext ? toNextJob(result, this.#options.giveBackMs) : undefined;
      } catch (error) {
        if (this.#blocking.signal.aborted || !isBrokerAway(error)) throw error;
        await delay(this.#options.reconnectMs);
      }
    }
  }

  override async moveToCompleted(
    ...[job, , , token, fetchNext]: Parameters<Base["moveToCompleted"]>
  ): ReturnType<Base["moveToCompleted"]> {
    const result = await this.#finish({ id: String(job.id), token, state: "completed" }, fetchNext);
    return { result, finishedOn: Date.now() };
  }

  override async moveToFailed(
    ...[job, reason, , token, fetchNext, fields]: Parameters<Base["moveToFailed"]>
  ): ReturnType<Base["moveToFailed"]> {
    const stack: unknown = fields?.stacktrace;
    const outcome: Outcome = {
      id: String(job.id),
      token,
      state: "failed",
      reason,
      ...(typeof stack === "string" ? { stack } : {}),
    };
    return { result: await this.#finish(outcome, fetchNext), finishedOn: Date.now() };
  }

  override async moveToDelayed(
    ...[id, , delayMs, token = "", opts]: Parameters<Base["moveToDelayed"]>
  ): ReturnType<Base["moveToDelayed"]> {
    const delayed = this.#delayed(id, token, delayMs, opts?.fieldsToUpdate);
    const outcome = opts?.skipAttempt === true ? { ...delayed, isGivenBack: true } : delayed;
    const next = await this.#finish(outcome, opts?.fetchNext === true);
    // Only another look tells the worker when the message is due again.
    this.#options.wakeups.signal(this.queueName);
    return next?.[0] ? (next as unknown[]) : [];
  }

  /** At once, but at its old place: messages of the same key wait for it. */
  override async retryJob(...[id, , token = "", opts]: Parameters<Base["retryJob"]>): Promise<void> {
    await this.#finish(this.#delayed(id, token, 0, opts?.fieldsToUpdate), false);
    this.#options.wakeups.signal(this.queueName);
  }

  #delayed(id: string, token: string, delayMs: number, fields: Record<string, unknown> = {}): Outcome {
    const { failedReason: reason, stacktrace: stack } = fields;
    return {
      id,
      token,
      state: "delayed",
      delayMs,
      ...(typeof reason === "string" ? { reason } : {}),
      ...(typeof stack === "string" ? { stack } : {}),
    };
  }

  override async moveStalledJobsToWait(): Promise<string[]> {
    const found = await this.#options.pool.query<{ id: string }>(
      "select id from groundwork.pubsub_reclaim($1, $2) as lost (id)",
      [this.queueName, this.#options.lostDeliveriesMax],
    );
    return found.rows.map(({ id }) => id);
  }

  /** @returns the ids whose lock was lost */
  override async extendLocks(ids: string[], tokens: string[], lockMs: number): Promise<string[]> {
    const found = await this.#options.pool.query<{ id: string }>(
      "select id from groundwork.pubsub_extend($1, $2, $3, $4) as lost (id)",
      [this.queueName, ids, tokens, lockMs],
    );
    return found.rows.map(({ id }) => id);
  }

  override async waitForJob(blockTimeoutSeconds: number): ReturnType<Base["waitForJob"]> {
    const woken = await this.#options.wakeups.wait(
      this.queueName,
      this.#seen,
      Math.max(blockTimeoutSeconds, 0) * 1000,
      this.#blocking.signal,
    );
    return woken ? { member: this.queueName, score: 0 } : null;
  }

  override disconnectBlocking(): Promise<void> {
    this.#blocking.abort();
    return Promise.resolve();
  }

  override reconnectBlocking(): Promise<void> {
    if (this.#blocking.signal.aborted) this.#blocking = new AbortController();
    return Promise.resolve();
  }

  override getClientList(): Promise<string[]> {
    return Promise.resolve(nothing);
  }
}

export type WakingFactory = BackendFactory<WakingBackend, PostgresConnectionOptions>;

export function wakingFactory(connection: PostgresConnection, options: WakingOptions): WakingFactory {
  return (name, opts) => new WakingBackend(connection, name, opts, options);
}
