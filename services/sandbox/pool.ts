// The processes that run users' code, a few, and the line before them (security/round-robin.ts). None runs before the first run; then they are kept warm, and
// end when nothing came for a minute. One that was stopped, or has had many runs, is thrown away and another started in its place.
//
// Organisations share them, one run after the other. What keeps one's run from the next is the engine's instance, made anew with a
// memory of its own for each; whoever came out of that into the process itself would find the next run there. A process for
// each organisation would close this too, for a start of Node (100 ms of a processor) whenever another one's turn comes (docs/adr/0017).
import { APIError } from "encore.dev/api";
import { cfg } from "../../config";
import { RoundRobin } from "../../security/round-robin";
import { UnderWay } from "../../security/under-way";
import { onShutdown } from "../../telemetry/shutdown";
import { errors } from "./errors";
import type { Outcome } from "./outcome";
import { SandboxProcess, type Job } from "./sandbox-process";

export interface PoolOptions {
  processes?: number;
  /** Of all organisations, and of each. */
  waitingMax?: number;
  ofTenantMax?: number;
  /** Nobody's request waits for longer. */
  waitMaxMs?: number;
  idleMs?: number;
  start?: () => Promise<SandboxProcess>;
}

interface Waiting {
  tenantId: string;
  job: Job;
  timer: NodeJS.Timeout;
  resolve(outcome: Outcome): void;
  reject(error: Error): void;
}

interface Idle {
  process: SandboxProcess;
  timer: NodeJS.Timeout;
}

export class Pool {
  private readonly options: Required<PoolOptions>;
  /** Bounded in all, and each organisation's: one that fills its own leaves the others' free. */
  private readonly line = new RoundRobin<Waiting>();
  private readonly idle: Idle[] = [];
  private readonly all = new Set<SandboxProcess>();
  /** Runs under way. */
  private readonly busy: UnderWay;
  private isClosed = false;

  constructor(options: PoolOptions = {}) {
    this.options = {
      processes: cfg.sandbox.processes,
      waitingMax: 200,
      ofTenantMax: 50,
      waitMaxMs: 10_000,
      idleMs: 60_000,
      start: () => SandboxProcess.start(),
      ...options,
    };
    const { processes } = this.options;
    // Nobody has all processes: with one run of theirs under way, the last free one is for others.
    this.busy = new UnderWay({ ofOne: Math.max(1, processes - 1), inAll: processes });
  }

  /** Processes there are just now. */
  get running(): number {
    return this.all.size;
  }

  /** @throws APIError runs_waiting, sandbox_unavailable, sandbox_walls_missing */
  run(tenantId: string, job: Job): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.turnAway(waiting), this.options.waitMaxMs);
      const waiting: Waiting = { tenantId, job, timer, resolve, reject };
      const { waitingMax, ofTenantMax } = this.options;
      const isFull = this.line.of(tenantId) >= ofTenantMax || this.line.size >= waitingMax;
      if (this.isClosed || isFull) return this.turnAway(waiting, this.isClosed ? "closed" : "as many wait as may");
      this.line.add(tenantId, waiting);
      this.assign();
    });
  }

  /** Ends all processes: what runs is answered as crashed, and nothing starts any more. */
  close(): void {
    this.isClosed = true;
    for (const waiting of this.line.takeAll()) this.turnAway(waiting, "closed");
    for (const process of this.all) this.discard(process);
    for (const { timer } of this.idle.splice(0)) clearTimeout(timer);
  }

  private turnAway(waiting: Waiting, internal = "waited too long"): void {
    clearTimeout(waiting.timer);
    this.line.remove(waiting.tenantId, waiting);
    waiting.reject(errors.runs_waiting({ retryAfterSeconds: 2, internal }));
  }

  private assign(): void {
    const next = this.line.next((tenantId) => this.busy.hasRoom(tenantId));
    if (next === undefined) return;
    clearTimeout(next.timer);
    const leave = this.busy.enter(next.tenantId);
    void this.serve(next).finally(() => {
      leave?.();
      this.assign();
    });
    this.assign();
  }

  private async serve({ job, resolve, reject }: Waiting): Promise<void> {
    let process: SandboxProcess;
    try {
      process = await this.take();
    } catch (cause) {
      reject(cause instanceof APIError ? cause : errors.sandbox_unavailable({ cause, retryAfterSeconds: 5 }));
      return;
    }
    const outcome = await process.run(job);
    this.giveBack(process);
    resolve(outcome);
  }

  private async take(): Promise<SandboxProcess> {
    for (let idle = this.idle.pop(); idle !== undefined; idle = this.idle.pop()) {
      clearTimeout(idle.timer);
      idle.process.wake();
      if (await idle.process.isAnswering()) return idle.process;
      this.discard(idle.process);
    }
    const started = await this.options.start();
    this.all.add(started);
    if (!this.isClosed) return started;
    this.discard(started);
    throw new Error("this process is ending");
  }

  private giveBack(process: SandboxProcess): void {
    if (!process.isUsable || this.isClosed) {
      this.discard(process);
      return;
    }
    process.rest();
    const timer = setTimeout(() => {
      this.idle.splice(this.idle.indexOf(idle), 1);
      this.discard(process);
    }, this.options.idleMs).unref();
    const idle: Idle = { process, timer };
    this.idle.push(idle);
  }

  private discard(process: SandboxProcess): void {
    process.end();
    this.all.delete(process);
  }
}

let pool: Pool | undefined;

/** This process's own. */
export function sandboxPool(): Pool {
  if (pool !== undefined) return pool;
  const made = (pool = new Pool());
  onShutdown("sandbox", () => made.close(), "idle");
  return made;
}
