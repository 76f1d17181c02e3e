// The runs of one worker that are under way, and the time each has. Every run has an AbortController of its own and the
// worker only a set of them, emptied as they end: a signal that lives as long as the worker would keep every signal
// joined with it, and their listeners, for as long (nodejs/node #54614, #55351: AbortSignal.any).

import { untilAborted } from "../telemetry/time-limit";

/** Why a run was aborted: its time is up. */
export class JobTimeoutError extends Error {
  override readonly name = "JobTimeoutError";
}

/** Why a run was aborted: its process stops, and another one runs the job. */
export class ProcessStoppingError extends Error {
  override readonly name = "ProcessStoppingError";
}

export class RunningJobs {
  private readonly running = new Set<AbortController>();
  private stopping: Error | undefined;

  get size(): number {
    return this.running.size;
  }

  /**
   * Runs `work` with a signal that aborts after `timeoutMs` or by abortAll(). `run` may be aborted by others too.
   * Rejects with the reason as soon as it aborts, whether or not `work` listens; what such work does later is nobody's business any more.
   */
  async within<T>(
    timeoutMs: number,
    jobName: string,
    work: (signal: AbortSignal) => Promise<T>,
    run = new AbortController(),
  ): Promise<T> {
    if (this.stopping) throw this.stopping;
    const late = (): void => run.abort(new JobTimeoutError(`job ${jobName} took longer than ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    this.running.add(run);
    try {
      return await untilAborted(() => work(run.signal), run.signal);
    } finally {
      clearTimeout(timer);
      this.running.delete(run);
    }
  }

  /** Aborts every run with ProcessStoppingError, also those that would begin before `begin`. */
  stop(): void {
    this.stopping = new ProcessStoppingError("the process is stopping");
    this.abortAll(this.stopping);
  }

  /** Runs may begin, from the first on or again. */
  begin(): void {
    this.stopping = undefined;
  }

  /** Aborts every run that is under way; those that begin later are not concerned. */
  abortAll(reason: Error): void {
    for (const run of this.running) run.abort(reason);
  }
}
