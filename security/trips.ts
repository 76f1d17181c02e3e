// What operators learn of limits that refuse: each refusal in a metric, and one line in the log for each limit and
// window, so that whoever floods us does not flood the log too.
import { logger } from "../telemetry/logger";
import { limitRejectionsTotal } from "../telemetry/metrics";

interface Limit {
  policy: string;
  dimension: string;
  windowSeconds: number;
}

export class Trips {
  /** One for each limit there is. */
  private readonly reported = new Map<string, { untilMs: number; unreported: number }>();

  constructor(private readonly report: (line: { limit: string; key: string; refusedSinceLastLine: number }) => void) {}

  /** `key` is an address, an id, or a digest of an e-mail. */
  note({ policy, dimension, windowSeconds }: Limit, key: string, nowMs: number = performance.now()): void {
    limitRejectionsTotal.add(1, { policy, dimension });
    const limit = `${policy}.${dimension}`;
    const before = this.reported.get(limit);
    if (before !== undefined && before.untilMs > nowMs) {
      before.unreported++;
      return;
    }
    this.reported.set(limit, { untilMs: nowMs + windowSeconds * 1000, unreported: 0 });
    this.report({ limit, key, refusedSinceLastLine: before?.unreported ?? 0 });
  }
}

const log = logger("limits");

/** The app's. */
export const trips = new Trips((line) => log.warn(line, "a limit refuses requests"));
