// Dear work, a few at a time: who comes when all turns are taken waits in line, and when the line is full is refused.
import { commonErrors } from "../security/common-errors";

export class BoundedTurns {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly atOnce: number,
    private readonly waitingMax: number,
  ) {}

  /** Runs `work` when it is its turn, first come first served. @throws APIError service_unavailable when the line is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.atOnce) this.running++;
    else await this.turn();
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      // The turn is handed over, so that nobody who comes meanwhile takes it.
      if (next === undefined) this.running--;
      else next();
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= this.waitingMax)
      throw commonErrors.service_unavailable({ retryAfterSeconds: 2, internal: "too many wait for their turn" });
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
