// Lines of JSON to somebody who reads them as fast as they like: nothing is made before what came before it is taken, so a
// slow reader costs a page of memory and no more. One who takes nothing for a minute, or needs longer than an hour, is left.
import { createHash } from "node:crypto";
import type { Writable } from "node:stream";
import { writeToReader } from "../security/slow-reader";

export interface NdjsonLimits {
  /** How long a reader may take nothing. */
  stallMs: number;
  totalMs: number;
}

const LIMITS: NdjsonLimits = { stallMs: 60_000, totalMs: 3_600_000 };

export class NdjsonWriter {
  private readonly hash = createHash("sha256");
  private readonly endsAtMs: number;

  constructor(
    private readonly to: Writable,
    private readonly limits: NdjsonLimits = LIMITS,
  ) {
    this.endsAtMs = performance.now() + limits.totalMs;
  }

  /** Of all that was written. */
  get sha256(): string {
    return this.hash.copy().digest("hex");
  }

  /** Writes whole lines; resolves when more may be made: false when the reader has left, or was left. */
  write(text: string): Promise<boolean> {
    this.hash.update(text);
    const leftMs = Math.max(0, this.endsAtMs - performance.now());
    return writeToReader(this.to, text, Math.min(this.limits.stallMs, leftMs));
  }

  /** The last line. */
  end(text: string): void {
    this.to.end(text);
  }
}
