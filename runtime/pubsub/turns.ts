// What the slots of one consumer tell Postgres and want of it, as one statement for all of them.
import type { Pool } from "pg";
import { GroupCommit } from "./group-commit";
import { storable, storableJson } from "./storable";

export interface Outcome {
  id: string;
  /** The lock's; an outcome under a lost lock is not written. */
  token: string;
  state: "completed" | "failed" | "delayed";
  delayMs?: number;
  /** Delayed as if it had not been delivered: that was no attempt. */
  isGivenBack?: boolean;
  reason?: string;
  /** JSON text. */
  stack?: string;
}

export interface ClaimedRow {
  id: string;
  data: string;
  /** When the message was added, as text: a bigint. */
  at: string;
  attempts_made: number;
  attempts_started: number;
  stalled_count: number;
  failed_reason: string | null;
  stacktrace: string | null;
  deferred_failure: string | null;
}

export interface Turn {
  outcome?: Outcome;
  /** Token to claim the next message under. */
  claim?: string;
}

export interface TurnResult {
  /** False when the lock was lost and nothing was written. */
  settled: boolean;
  claimed?: ClaimedRow;
  /** Undefined when unknown or none. */
  next?: NextDue;
}

/** The next delayed message. */
export interface NextDue {
  /** Until it is due, by the database's clock. */
  waitMs: number;
  isGivenBack: boolean;
}

/** A function that another version of the host has put in the place of ours says only when it is due, by the database's clock. */
const nextOf = (data: string | null, at: string): NextDue =>
  data === null ? { waitMs: Number(at) - Date.now(), isGivenBack: false } : (JSON.parse(data) as NextDue);

type Row =
  | (ClaimedRow & { kind: "settled" | "claimed"; token: string })
  | { kind: "due"; data: string | null; at: string | null };

export interface TurnOptions {
  queue: string;
  lockMs: number;
  ordered: boolean;
}

const BATCH_MAX = 500;
const DEADLOCK_RETRIES = 3;
const takeTurn = "select * from groundwork.pubsub_turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const isDeadlock = (error: unknown): boolean => (error as { code?: unknown }).code === "40P01";

export class Turns {
  readonly #pool: Pool;
  readonly #options: TurnOptions;
  readonly #commits = new GroupCommit<Turn, TurnResult>((turns) => this.#take(turns), BATCH_MAX);

  constructor(pool: Pool, options: TurnOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  take(turn: Turn): Promise<TurnResult> {
    return this.#commits.submit(turn);
  }

  async #take(turns: Turn[]): Promise<TurnResult[]> {
    const rows = await this.#write(turns);
    const settled = new Set<string>();
    const claimed = new Map<string, ClaimedRow>();
    let next: NextDue | undefined;
    for (const row of rows) {
      if (row.kind === "settled") settled.add(row.id);
      else if (row.kind === "claimed") claimed.set(row.token, row);
      else if (row.at !== null) next = nextOf(row.data, row.at);
    }
    return turns.map(({ outcome, claim }) => {
      const row = claim === undefined ? undefined : claimed.get(claim);
      return {
        settled: outcome === undefined || settled.has(outcome.id),
        ...(next ? { next } : {}),
        ...(row ? { claimed: row } : {}),
      };
    });
  }

  /** Operators lock rows in an order of their own; a deadlock with them is undone by Postgres and worth another try. */
  async #write(turns: Turn[]): Promise<Row[]> {
    const outcomes = turns.flatMap(({ outcome }) => (outcome ? [outcome] : []));
    const { queue, lockMs, ordered } = this.#options;
    const values = [
      queue,
      outcomes.map(({ id }) => id),
      outcomes.map(({ token }) => token),
      outcomes.map(({ state }) => state),
      outcomes.map(({ delayMs }) => delayMs ?? 0),
      outcomes.map(({ reason }) => (reason === undefined ? null : storable(reason))),
      outcomes.map(({ stack }) => (stack === undefined ? null : storableJson(JSON.parse(stack)))),
      turns.flatMap(({ claim }) => (claim === undefined ? [] : [claim])),
      lockMs,
      ordered,
      outcomes.map(({ isGivenBack = false }) => isGivenBack),
    ];
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#pool.query<Row>(takeTurn, values)).rows;
      } catch (error) {
        if (!isDeadlock(error) || attempt === DEADLOCK_RETRIES) throw error;
      }
    }
  }
}
