// The database's clock, as this process knows it: replicas' own clocks differ, and a token must not be good by one and
// expired by another. Estimated from answers that bring the time, as NTP does it (RFC 5905 §8): the middle of question and
// answer, wrong by half of the time between them at most; the surest of the late readings counts.

/** Quartz of servers is wrong by less than this: an old reading counts for less. */
const DRIFT = 200e-6;
/** Below it, a difference of the clocks is not told from the network's delays. */
const NOTICED_MS = 250;

interface Reading {
  /** To add to performance.now(). */
  offsetMs: number;
  errorMs: number;
  atMs: number;
}

export class DatabaseClock {
  private reading: Reading | undefined;

  /** Monotonic milliseconds and the wall clock are given by tests. */
  constructor(
    private readonly monotonicMs: () => number = () => performance.now(),
    private readonly wallMs: () => number = () => Date.now(),
  ) {}

  /** An answer brought `databaseMs` (since 1970); asked and answered are monotonic. */
  note(databaseMs: number, askedAtMs: number, answeredAtMs: number): void {
    const errorMs = (answeredAtMs - askedAtMs) / 2;
    const offsetMs = databaseMs - (askedAtMs + errorMs);
    if (this.reading !== undefined && this.isSurer(this.reading, offsetMs, errorMs)) return;
    this.reading = { offsetMs, errorMs, atMs: answeredAtMs };
  }

  /** Milliseconds since 1970; this machine's own clock until the database has said its time. */
  nowMs(): number {
    return this.reading === undefined ? this.wallMs() : this.reading.offsetMs + this.monotonicMs();
  }

  /** A time of this machine's clock, as the database's. */
  at(now: Date): Date {
    const aheadMs = this.nowMs() - this.wallMs();
    const isNoticed = Math.abs(aheadMs) > Math.max(NOTICED_MS, this.reading?.errorMs ?? 0);
    return isNoticed ? new Date(now.getTime() + aheadMs) : now;
  }

  /** Unless the new reading contradicts it: this machine was asleep, or another server answers. */
  private isSurer(reading: Reading, offsetMs: number, errorMs: number): boolean {
    const errorNowMs = reading.errorMs + (this.monotonicMs() - reading.atMs) * DRIFT;
    return errorNowMs < errorMs && Math.abs(reading.offsetMs - offsetMs) <= errorNowMs + errorMs;
  }
}

/** This process's. */
export const databaseClock = new DatabaseClock();
