// What the values of one text may cost together. A limit for each value alone would let a list of them cost as much as it
// has elements.

/** Zeros that the decimals of one text may be written out with: `1e16384` is 8 characters that become 16,385. */
const ZEROS_MAX = 1 << 21;

export class Work {
  /** Positions of patterns visited so far (regexp.ts). */
  visits = 0;
  private zeros = 0;

  /** Whether that many zeros more are within the bounds. */
  writesZeros(count: number): boolean {
    this.zeros += count;
    return this.zeros <= ZEROS_MAX;
  }
}
