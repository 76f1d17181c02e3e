// The loop of one destination: claims what is due for it and hands it over. Each destination has its own, so that one
// that hangs stops nobody else.
//   stopped → claiming        start(), and after every wake
//   claiming → claiming       a full batch was claimed; it is delivered beside, up to as many rows as OPEN_BATCHES_MAX batches at once
//   claiming → waiting        nothing more is due: until a commit signals, a batch ends, or the poll
//   claiming → probing        no hand-over of a batch had an answer in time: one row now and then, until one is accepted
//   claiming → careful        very many have had no answer lately: one row after the other, until those are long ago
//   any → stopped             stop(): begins nothing more, waits a moment for answers, gives the rest back
import { setMaxListeners } from "node:events";
import { newId } from "../db/ids";
import { backoffMs, type Backoff } from "../db/backoff";
import { deadLettersTotal, errorsTotal } from "../telemetry/metrics";
import { logger } from "../telemetry/logger";
import { destinationOf } from "./destinations";
import { publishBatch, type BatchReport } from "./publish";
import { outboxClaim, outboxSettle, outboxTenants, type OutboxRow } from "./store/outbox";

export interface LoopOptions {
  batch: number;
  /** Rows of one aggregate that a claim takes even where that makes more than a batch. */
  depth: number;
  /** Tenants that one claim shares between when more is due than it takes. */
  tenantsMax: number;
  pollMs: number;
  leaseMs: number;
  /** Hand-overs of one batch at once. */
  concurrency: number;
  backoff: Backoff;
  /** Refusals of a row by a destination that accepts others before it becomes a dead letter. */
  maxAttempts: number;
  isReady: () => Promise<boolean>;
  random: () => number;
}

/** Shares of the lease: when the last hand-over begins, and until when answers count. The rest is for settling. */
const BEGIN_SHARE = 0.4;
const ANSWER_SHARE = 0.8;
const OPEN_BATCHES_MAX = 4;
/** A destination that accepted something within this time is in order: what it refuses then is the row's own fault. */
const ACCEPTING_MS = 600_000;
/** Hand-overs whose answer may still come: where there are more, each waits for the one before, so that they grow by few. */
const UNANSWERED_MAX = 1_000;
/** An answer that has not come by then is no longer waited for. */
const UNANSWERED_MS_MAX = 3_600_000;
/** First poll after something was found; each that finds nothing waits twice as long. Other processes' commits wake nobody here. */
const SOON_MS = 10;
/** Tenants that are looked at for each that a claim names: others may have something for another destination only. */
const VISITS_PER_TENANT = 4;
/** A tenant that has something since waits no longer for its turn. */
const CIRCLE_MS = 100;
/** Below every tenant's id. */
const FIRST_TENANT = "00000000-0000-0000-0000-000000000000";
/** Shorter than what a shutdown grants. */
const STOP_GRACE_MS = 2_000;
/** When the database itself fails. */
const LOOP_BACKOFF: Backoff = { firstMs: 250, maxMs: 10_000 };
/** When the destination gives no answer. */
const PROBE_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

interface Claim {
  leaseId: string;
  claimedAtMs: number;
  rows: OutboxRow[];
}

export class DestinationLoop {
  private loop: Promise<void> | undefined;
  private isStopping = false;
  private isSignalled = false;
  private interrupt: (() => void) | undefined;
  private stopped = new AbortController();
  private readonly open = new Set<Promise<void>>();
  private openRows = 0;
  private readonly unanswered = new Map<object, number>();
  /** Batches in a row without any answer. */
  private silent = 0;
  /** More is due than a claim takes: from then on claims share between tenants. */
  private isBehind = false;
  private lastTenant = FIRST_TENANT;
  /** All tenants of the circle with something due, where they are few: not looked for anew for each claim. */
  private circle: { ids: string[]; untilMs: number } | undefined;
  /** Claims in a row that found nothing. */
  private idle = 0;
  private probeAtMs = 0;
  private acceptedAtMs = -Infinity;

  constructor(
    private readonly destination: string,
    private readonly options: LoopOptions,
  ) {}

  start(): void {
    if (this.loop) return;
    this.isStopping = false;
    this.stopped = new AbortController();
    // Each hand-over listens while it lasts: as many as run at once.
    setMaxListeners(0, this.stopped.signal);
    this.loop = this.run();
  }

  wake(): void {
    this.isSignalled = true;
    this.interrupt?.();
  }

  /** Resolves when everything at hand is settled. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.interrupt?.();
    const timer = setTimeout(() => this.stopped.abort(), STOP_GRACE_MS);
    await this.loop;
    clearTimeout(timer);
    this.loop = undefined;
  }

  /** Claims, publishes and settles one batch; resolves with the number of rows claimed. */
  async runOnce(): Promise<number> {
    const claim = await this.claim(this.options.batch, this.options.depth);
    await this.deliver(claim);
    return claim.rows.length;
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
        this.noteError(error);
        await this.sleep(backoffMs(LOOP_BACKOFF, failures, this.options.random));
      }
    }
    await Promise.all(this.open);
  }

  private async turn(): Promise<void> {
    const { batch, pollMs, isReady } = this.options;
    this.isSignalled = false;
    if (!(await isReady())) return this.sleep(pollMs);
    const pauseMs = this.probeAtMs - performance.now();
    if (this.silent > 0 && pauseMs > 0) return this.sleep(pauseMs);
    const isOneByOne = this.silent > 0 || this.areManyUnanswered();
    if (this.openRows >= (isOneByOne ? 1 : OPEN_BATCHES_MAX * batch)) return this.sleep(pollMs);

    const claim = await this.claim(isOneByOne ? 1 : batch, isOneByOne ? 1 : this.options.depth);
    if (claim.rows.length === 0) return this.sleep(Math.min(pollMs, SOON_MS * 2 ** this.idle++));
    this.idle = 0;
    const work: Promise<void> = this.deliver(claim)
      .catch((error: unknown) => this.noteError(error))
      .finally(() => {
        this.open.delete(work);
        this.openRows -= claim.rows.length;
        this.wake();
      });
    this.open.add(work);
    this.openRows += claim.rows.length;
    if (claim.rows.length < batch) await this.sleep(pollMs);
  }

  /** Forgets those that are no longer waited for. */
  private areManyUnanswered(): boolean {
    const since = performance.now() - UNANSWERED_MS_MAX;
    for (const [answer, atMs] of this.unanswered) {
      if (atMs > since) break;
      this.unanswered.delete(answer);
    }
    return this.unanswered.size >= UNANSWERED_MAX;
  }

  private async claim(limit: number, depth: number): Promise<Claim> {
    const tenantIds = this.isBehind ? await this.nextTenants(limit) : [];
    const leaseId = newId();
    const claimedAtMs = performance.now();
    const rows = await outboxClaim(this.destination, { limit, depth }, leaseId, this.options.leaseMs, tenantIds);
    this.isBehind = rows.length >= limit;
    return { leaseId, claimedAtMs, rows };
  }

  /** Whose turn it is: all tenants in a circle, as many for each claim as it has room for beside the longest due. */
  private async nextTenants(limit: number): Promise<string[]> {
    const now = performance.now();
    if (this.circle !== undefined && now < this.circle.untilMs) return this.circle.ids;
    const isFromFirst = this.lastTenant === FIRST_TENANT;
    const most = Math.max(1, Math.min(this.options.tenantsMax, Math.floor(limit / 2)));
    const visits = most * VISITS_PER_TENANT;
    const visited = await outboxTenants(this.destination, this.lastTenant, visits);
    const due = visited.filter(({ isDue }) => isDue).slice(0, most);
    // The next claim goes on behind the last one taken, or behind all that were looked at.
    const last = due.length === most ? due.at(-1) : visited.length === visits ? visited.at(-1) : undefined;
    this.lastTenant = last?.id ?? FIRST_TENANT;
    const ids = due.map(({ id }) => id);
    this.circle = isFromFirst && last === undefined ? { ids, untilMs: now + CIRCLE_MS } : undefined;
    return ids;
  }

  private async deliver({ leaseId, claimedAtMs, rows }: Claim): Promise<void> {
    const destination = destinationOf(this.destination);
    if (rows.length === 0 || !destination) return;
    const { leaseMs, concurrency, backoff, maxAttempts, random } = this.options;
    const report = await publishBatch(destination, rows, {
      concurrency,
      backoff,
      random,
      maxAttempts,
      isAccepting: () => performance.now() - this.acceptedAtMs < ACCEPTING_MS,
      mayBegin: () => !this.isStopping && performance.now() < claimedAtMs + leaseMs * BEGIN_SHARE,
      answerByMs: claimedAtMs + leaseMs * ANSWER_SHARE,
      stop: this.stopped.signal,
      unanswered: this.unanswered,
      onLate: (late) => void this.settleLate(leaseId, late),
      settle: (settlement) => outboxSettle(leaseId, settlement),
    });
    this.note(report);
  }

  /** The answer came after its time: what was accepted is published, whoever holds it now. */
  private async settleLate(leaseId: string, rows: readonly OutboxRow[]): Promise<void> {
    this.silent = 0;
    this.acceptedAtMs = performance.now();
    const keys = [...new Set(rows.map((row) => row.aggregateKey))];
    try {
      await outboxSettle(leaseId, { keys, published: rows.map((row) => row.id), failed: [], dead: [], released: [] });
    } catch (error) {
      // They are handed over once more, under the same ids.
      this.noteError(error);
    }
    this.wake();
  }

  private note({ published, failed, dead, unanswered, example }: BatchReport): void {
    if (published > 0) this.acceptedAtMs = performance.now();
    if (dead > 0) deadLettersTotal.add(dead, { source: "relay" });
    this.silent = published === 0 && unanswered > 0 && unanswered === failed ? this.silent + 1 : 0;
    if (this.silent > 0)
      this.probeAtMs = performance.now() + backoffMs(PROBE_BACKOFF, this.silent, this.options.random);
    if (!example) return;
    errorsTotal.add(failed, { type: "publish" });
    logger("relay").warn(
      { destination: this.destination, failed, dead, unanswered, waiting: this.unanswered.size, example },
      dead > 0
        ? "outbox rows could not be published, and some were given up: see the dead letters"
        : "outbox rows could not be published and will be tried again",
    );
  }

  private noteError(error: unknown): void {
    errorsTotal.add(1, { type: "relay" });
    logger("relay").error({ err: error, destination: this.destination }, "the relay met an error and will try again");
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
