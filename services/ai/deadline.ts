// All the time that a call has, and who may end it earlier: whoever asked, by leaving, and the process, when it drains. Signals are
// linked by hand: AbortSignal.any keeps what it joined for as long as one of them lives (nodejs/node #54614).
import { isDraining, onShutdown } from "../../telemetry/shutdown";
import { ProviderFailure } from "./providers/failure";

const underWay = new Set<Deadline>();
let isEnding = false;

/** A process that drains gives its calls up at once, so that they are settled while the database is still there. */
function endWithProcess(): void {
  if (isEnding) return;
  isEnding = true;
  onShutdown("ai-calls", giveUpAll);
}

/** All calls that are under way. */
export function giveUpAll(): void {
  for (const deadline of [...underWay]) deadline.giveUp();
}

export class Deadline {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private hasEnded = false;
  /** What is to be done when it is over before it has ended. */
  private readonly over: (() => void)[] = [];

  /** Ends what is under way. */
  readonly giveUp = (): void => {
    if (this.isOver) return;
    this.controller.abort();
    for (const run of this.over) run();
  };

  constructor(
    totalMs: number,
    private readonly left: AbortSignal | undefined,
  ) {
    endWithProcess();
    underWay.add(this);
    this.timer = setTimeout(this.giveUp, totalMs).unref();
    if (left?.aborted === true || isDraining()) this.giveUp();
    else left?.addEventListener("abort", this.giveUp, { once: true });
  }

  /** At once, when it is over already; never, when it has ended. */
  onOver(run: () => void): void {
    if (this.hasEnded) return;
    if (this.isOver) run();
    else this.over.push(run);
  }

  get isOver(): boolean {
    return this.controller.signal.aborted;
  }

  /** Of a call that has ended. */
  end(): void {
    this.hasEnded = true;
    underWay.delete(this);
    this.over.length = 0;
    clearTimeout(this.timer);
    this.left?.removeEventListener("abort", this.giveUp);
  }

  /** Resolves after so long, or at once when it is over. */
  async pause(ms: number): Promise<void> {
    if (this.isOver) return;
    const { signal } = this.controller;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  request(): ProviderRequest {
    return new ProviderRequest(this.controller.signal);
  }
}

/** One request to a provider: ends with the deadline, or when the provider is silent for too long. */
export class ProviderRequest {
  private readonly controller = new AbortController();
  /** Why it was ended, when it was. */
  failure: ProviderFailure | undefined;

  private readonly giveUp = (): void => this.abort(new ProviderFailure("given_up", { paid: "unknown" }));

  constructor(private readonly deadline: AbortSignal) {
    if (deadline.aborted) this.giveUp();
    else deadline.addEventListener("abort", this.giveUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  private abort(failure: ProviderFailure): void {
    this.failure ??= failure;
    this.controller.abort(this.failure);
  }

  /** What the provider does, unless it takes longer. A provider that does not heed the signal is not waited for either. */
  async within<T>(ms: number, work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.abort(new ProviderFailure("silent", { paid: "unknown" })), ms).unref();
    const { signal } = this;
    let onAbort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.failure ?? new ProviderFailure("given_up", { paid: "unknown" }));
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      // What is late fails for nobody.
      void work.catch(() => undefined);
      void aborted.catch(() => undefined);
    }
  }

  /** Ends the provider's request, if it has not ended. */
  end(): void {
    this.deadline.removeEventListener("abort", this.giveUp);
    this.controller.abort();
  }
}
