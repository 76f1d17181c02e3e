// Counting in the process what is written for all at once, every now and then: uses of the system's scope (system-use.ts).
import { AsyncResource } from "node:async_hooks";
import { cfg } from "../config";
import { systemReasons, type SystemReason } from "../security/system-reasons";
import { DbError } from "./errors";

/** The writing is a use too; it is counted with what it writes, or there would always be something to write. */
export const WRITING = "note-system-use";

export interface CountedUse {
  reason: string;
  uses: number;
}

/** Counts until they are written: at most one for each reason. */
export class UseCounter {
  private counts = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  /** The last writing; never rejects. */
  private writing: Promise<void> = Promise.resolve();
  /** Writing goes on beside requests: it must not belong to the one that happened to be counted first. */
  private readonly soon = AsyncResource.bind(() => {
    this.timer ??= setTimeout(() => void this.flush().catch(this.onFailure), this.everyMs ?? 0).unref();
  });

  /** `everyMs` null: written only when asked for. */
  constructor(
    private readonly write: (uses: readonly CountedUse[]) => Promise<void>,
    private readonly everyMs: number | null,
    /** Told of a writing that failed when nobody waits for it. */
    private readonly onFailure: (error: unknown) => void = () => undefined,
  ) {}

  /** @throws DbError `misuse` for a reason that is not in the catalogue. */
  note(reason: SystemReason): void {
    if (!isDeclared(reason))
      throw new DbError("misuse", `"${String(reason)}" is no reason of security/system-reasons.ts: declare it there`);
    if (reason === WRITING) return;
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
    if (this.timer === undefined && this.everyMs !== null) this.soon();
  }

  /** Writes what was counted. What cannot be written stays counted, and is tried again. */
  flush(): Promise<void> {
    const written = this.writing.then(() => this.writeCounts());
    this.writing = written.catch(() => undefined);
    return written;
  }

  private async writeCounts(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.counts.size === 0) return;
    const counted = this.counts;
    this.counts = new Map();
    try {
      await this.write([...counted, [WRITING, 1] as const].map(([reason, uses]) => ({ reason, uses })));
    } catch (error) {
      for (const [reason, uses] of counted) this.counts.set(reason, (this.counts.get(reason) ?? 0) + uses);
      if (this.everyMs !== null) this.soon();
      throw error;
    }
  }
}

const isDeclared = (reason: string): boolean =>
  Object.hasOwn(systemReasons, reason) || (reason === "test" && cfg.env === "test");
