// Runs cron jobs. Every replica knows every tick; the ledger decides which of them runs it.
//
// A tick on one replica:  due → claim ─ won ──→ endpoint runs, lease renewed → finished
//                                     ├ done ─→ nothing
//                                     └ taken → looked at again when the lease may have ended → claim
//
// Nobody leads: each tick is claimed for itself. A tick whose process died while its endpoint ran is run again, by
// another replica as soon as the lease has ended: what the endpoint had done by then is not known, and a job that is done
// twice can be made harmless, one that is never done cannot. All that looked at a tick may have died with it, so each
// replica asks for such ticks when it starts and once a lease. A tick that ran to its end runs once, also when it failed.
// A tick at which no replica was alive is left out.
import type { HostLog } from "../host";
import type { Clock } from "./clock";
import type { Ledger, Tick } from "./ledger";
import type { NextTick } from "./schedule";
import { whileAway } from "../broker-errors";

const FINISH_LIMIT_MS = 60_000;
/** How late a tick may be looked at by a process that was busy; after a longer pause (a laptop asleep) only the last one is. */
const CATCH_UP_MS = 60_000;
/** Key of the timer, and of the question; no job has this id. */
const RECOVERY = "\0abandoned";

export interface ScheduledJob {
  id: string;
  next: NextTick;
  run(tick: Tick): Promise<void>;
}

export interface SchedulerOptions {
  jobs: ScheduledJob[];
  ledger: Ledger;
  clock: Clock;
  log: HostLog;
  leaseMs: number;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #timers = new Map<string, () => void>();
  readonly #running = new Map<string, Promise<void>>();
  #open = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#options.ledger.start();
    this.#open = true;
    for (const job of this.#options.jobs) this.#arm(job);
    await this.#recover();
    this.#armRecovery();
  }

  /** Starts no more ticks and resolves when the ones that run here have ended. */
  async drain(): Promise<void> {
    this.#open = false;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await Promise.all(this.#running.values());
    await this.#options.ledger.close();
  }

  /** Resolves when nothing runs here; for tests that move the clock. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  #at(key: string, atMs: number, fn: () => void): void {
    this.#timers.get(key)?.();
    const cancel = this.#options.clock.at(atMs, () => {
      this.#timers.delete(key);
      if (this.#open) fn();
    });
    this.#timers.set(key, cancel);
  }

  #arm(job: ScheduledJob, after: number = this.#options.clock.now()): void {
    const at = job.next(after);
    if (at === null) return;
    this.#at(job.id, at, () => {
      this.#begin(job, { job: job.id, at });
      this.#arm(job, Math.max(at, this.#options.clock.now() - CATCH_UP_MS));
    });
  }

  #begin(job: ScheduledJob, tick: Tick): void {
    const key = `${tick.job}@${tick.at}`;
    if (this.#running.has(key)) return;
    const work = this.#attempt(job, tick, key).finally(() => this.#running.delete(key));
    this.#running.set(key, work);
  }

  async #attempt(job: ScheduledJob, tick: Tick, key: string): Promise<void> {
    const { ledger, log, clock, leaseMs } = this.#options;
    const again = (): void => this.#at(key, clock.now() + leaseMs, () => this.#begin(job, tick));
    try {
      const claim = await ledger.claim(tick);
      if (claim === "taken") again();
      if (claim === "won") await this.#run(job, tick);
    } catch (error) {
      log.error("cron: the ledger of ticks cannot be reached", error, {
        job: job.id,
        tick: new Date(tick.at).toISOString(),
      });
      again();
    }
  }

  async #run(job: ScheduledJob, tick: Tick): Promise<void> {
    const { ledger, log, leaseMs } = this.#options;
    const renewal = setInterval(() => void ledger.renew(tick).catch(() => undefined), leaseMs / 3).unref();
    let failure: string | null = null;
    try {
      await job.run(tick);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      log.error("cron job failed", error, { job: job.id, tick: new Date(tick.at).toISOString() });
    }
    try {
      // The endpoint has run: that must be written down, or the tick would run again.
      await whileAway(() => ledger.finish(tick, failure), FINISH_LIMIT_MS);
    } finally {
      clearInterval(renewal);
    }
  }

  #armRecovery(): void {
    const { clock, leaseMs, log } = this.#options;
    this.#at(RECOVERY, clock.now() + leaseMs, () => {
      const asked = this.#recover()
        .catch((error: unknown) => log.error("cron: the ledger of ticks cannot be reached", error, {}))
        .finally(() => this.#running.delete(RECOVERY));
      this.#running.set(RECOVERY, asked);
      this.#armRecovery();
    });
  }

  /** Takes up what a replica left behind that is no more. */
  async #recover(): Promise<void> {
    const jobs = new Map(this.#options.jobs.map((job) => [job.id, job]));
    for (const tick of await this.#options.ledger.abandoned([...jobs.keys()])) {
      const job = jobs.get(tick.job);
      if (job && this.#open) this.#begin(job, tick);
    }
  }
}
