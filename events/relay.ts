// The relay: moves committed outbox rows to where they are going, at least once and in order per aggregate.
//   stopped → claiming                 start(), and after every wake
//   claiming → publishing → settling   rows leased; nothing is locked while they are handed over
//   settling → claiming                the batch was full, or somebody signalled meanwhile
//   settling → waiting                 until a commit of this process signals, or the poll
//   any → stopped                      stop(): finishes the batch at hand, takes no other
// Killed anywhere: the lease of its rows runs out and another claims them; what was handed over but not yet
// marked goes out twice, under the same id. NOTIFY is not used: it serialises commits on native Postgres,
// does not arrive on the embedded one, and a poll of one indexed row a second costs less.
import { cfg } from "../config";
import { systemQuery, withSystem } from "../db/tenant";
import { errorsTotal } from "../telemetry/metrics";
import { logger } from "../telemetry/logger";
import { backoffMs, type Backoff } from "../db/backoff";
import { publishBatch, type BatchOutcome } from "./publish";
import {
  OUTBOX_ANY_DUE,
  outboxClaim,
  outboxLockClaims,
  outboxMarkFailed,
  outboxMarkPublished,
  outboxRelease,
  type OutboxRow,
} from "./store/outbox";

export interface RelayOptions {
  batch?: number;
  pollMs?: number;
  leaseMs?: number;
  concurrency?: number;
  backoff?: Backoff;
  /** Asked before each claim; while it answers no, the relay waits. */
  isReady?: () => Promise<boolean>;
  random?: () => number;
}

export interface Relay {
  start(): void;
  /** Looks for work at once. */
  wake(): void;
  /** Resolves when the batch at hand is settled. */
  stop(): Promise<void>;
  /** Claims, publishes and settles one batch; resolves with the number of rows claimed. */
  runOnce(): Promise<number>;
}

const LEASE_MS = 30_000;
const ROW_BACKOFF: Backoff = { firstMs: 200, maxMs: 60_000 };
/** When the database itself fails. */
const LOOP_BACKOFF: Backoff = { firstMs: 250, maxMs: 10_000 };

export function createRelay(options: RelayOptions = {}): Relay {
  return new OutboxRelay(options);
}

class OutboxRelay implements Relay {
  private readonly batch: number;
  private readonly pollMs: number;
  private readonly leaseMs: number;
  private readonly random: () => number;
  private loop: Promise<void> | undefined;
  private isStopping = false;
  private isSignalled = false;
  /** The last batch was full: claim again without asking whether anything is due. */
  private isBusy = false;
  private interrupt: (() => void) | undefined;

  constructor(private readonly options: RelayOptions) {
    this.batch = options.batch ?? cfg.events.relayBatch;
    this.pollMs = options.pollMs ?? cfg.events.relayPollMs;
    this.leaseMs = options.leaseMs ?? LEASE_MS;
    this.random = options.random ?? Math.random;
  }

  start(): void {
    this.isStopping = false;
    this.loop ??= this.run();
  }

  wake(): void {
    this.isSignalled = true;
    this.interrupt?.();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    this.interrupt?.();
    await this.loop;
    this.loop = undefined;
  }

  async runOnce(): Promise<number> {
    const startedAt = performance.now();
    const rows = await this.claim();
    if (rows.length === 0) return 0;
    const outcome = await publishBatch(rows, {
      concurrency: this.options.concurrency ?? 8,
      deadlineMs: startedAt + this.leaseMs / 2,
      backoff: this.options.backoff ?? ROW_BACKOFF,
      random: this.random,
    });
    await settle(outcome);
    report(outcome);
    return rows.length;
  }

  private claim(): Promise<OutboxRow[]> {
    return withSystem("relay-claim", async (tx) => {
      await outboxLockClaims(tx);
      return outboxClaim(tx, this.batch, this.leaseMs);
    });
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping) {
      try {
        await this.turn();
        failures = 0;
      } catch (error) {
        failures++;
        this.isSignalled = false;
        this.isBusy = false;
        errorsTotal.add(1, { type: "relay" });
        logger("relay").error({ err: error, failures }, "the relay met an error and will try again");
        await this.sleep(backoffMs(LOOP_BACKOFF, failures, this.random));
      }
    }
  }

  /** One batch if anything is due; otherwise a wait. Rows that are due but behind a waiting one of their aggregate count as nothing. */
  private async turn(): Promise<void> {
    this.isSignalled = false;
    if (this.options.isReady && !(await this.options.isReady())) return this.sleep(this.pollMs);
    if (!this.isBusy && !(await isAnyDue())) return this.sleep(this.pollMs);
    const claimed = await this.runOnce();
    this.isBusy = claimed >= this.batch;
    if (claimed === 0) await this.sleep(this.pollMs);
  }

  private async sleep(ms: number): Promise<void> {
    if (this.isSignalled || this.isStopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.interrupt = undefined;
  }
}

async function isAnyDue(): Promise<boolean> {
  return (await systemQuery("relay-poll", OUTBOX_ANY_DUE)).length > 0;
}

function settle(outcome: BatchOutcome): Promise<void> {
  return withSystem("relay-settle", async (tx) => {
    if (outcome.published.length > 0) await outboxMarkPublished(tx, outcome.published);
    if (outcome.failed.length > 0) await outboxMarkFailed(tx, outcome.failed);
    if (outcome.released.length > 0) await outboxRelease(tx, outcome.released);
  });
}

function report(outcome: BatchOutcome): void {
  const [example] = outcome.failed;
  if (!example) return;
  errorsTotal.add(outcome.failed.length, { type: "publish" });
  logger("relay").warn(
    { failed: outcome.failed.length, released: outcome.released.length, example },
    "outbox rows could not be published and will be tried again",
  );
}
