// Dear work, a few at a time: who comes when all turns are taken waits in line, and when the line is full is refused. Whoever
// has tried less stands further in front, so that those who guess wait behind those who know.
import { commonErrors } from "../security/common-errors";

interface Waiting {
  rank: number;
  begin: () => void;
  refuse: (error: Error) => void;
}

export class BoundedTurns {
  private running = 0;
  private readonly waiting: Waiting[] = [];

  constructor(
    private readonly atOnce: number,
    private readonly waitingMax: number,
  ) {}

  /**
   * Runs `work` when it is its turn: the lowest rank first, first come first served among equals.
   * @throws APIError service_unavailable when the line is full, also of those in it who have the highest rank.
   */
  async run<T>(work: () => Promise<T>, rank = 0): Promise<T> {
    if (this.running < this.atOnce) this.running++;
    else await this.turn(rank);
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      // The turn is handed over, so that nobody who comes meanwhile takes it.
      if (next === undefined) this.running--;
      else next.begin();
    }
  }

  private turn(rank: number): Promise<void> {
    if (this.waiting.length >= this.waitingMax) {
      const last = this.waiting.at(-1);
      if (last === undefined || last.rank <= rank) throw full();
      this.waiting.pop();
      last.refuse(full());
    }
    return new Promise((begin, refuse) => {
      const behind = this.waiting.findLastIndex((other) => other.rank <= rank);
      this.waiting.splice(behind + 1, 0, { rank, begin, refuse });
    });
  }
}

const full = (): Error =>
  commonErrors.service_unavailable({ retryAfterSeconds: 2, internal: "too many wait for their turn" });
