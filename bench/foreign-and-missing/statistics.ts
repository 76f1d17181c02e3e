// Whether two samples of times can be told apart. Source: Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?",
// DATE 2017: Welch's t over interleaved measurements whose upper tail was cut off, |t| < 4.5; here beside the rank test of Mann
// and Whitney (1947), which no outlier moves, by its normal approximation with ties.

/** What a random difference reaches once in 150,000 times. */
export const LIMIT = 4.5;

/** The share of both samples together that is kept: what a busy machine did to the rest says nothing. */
const KEPT = 0.9;

export interface Comparison {
  pairs: number;
  /** Welch's t of what is kept. */
  t: number;
  /** Mann-Whitney's U of everything, in standard deviations. */
  z: number;
  /** Of the first above the second, of what is kept. */
  differenceMicros: number;
  /** A difference that would reach the limit. */
  seenMicros: number;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the mean: the variance of the sample over its size. */
function errorOf(values: readonly number[], mean: number): number {
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return squares / (values.length - 1) / values.length;
}

export function compareTimes(first: readonly number[], second: readonly number[]): Comparison {
  const all = [...first, ...second].sort((a, b) => a - b);
  const highest = all[Math.ceil(all.length * KEPT) - 1] ?? 0;
  const [a, b] = [first, second].map((values) => values.filter((value) => value <= highest)) as [number[], number[]];
  const [meanA, meanB] = [meanOf(a), meanOf(b)];
  const error = Math.sqrt(errorOf(a, meanA) + errorOf(b, meanB));
  return {
    pairs: first.length,
    t: (meanA - meanB) / error,
    z: rankScore(first, second),
    differenceMicros: meanA - meanB,
    seenMicros: LIMIT * error,
  };
}

/** Positive when the first is greater. */
export function rankScore(first: readonly number[], second: readonly number[]): number {
  const all = [
    ...first.map((value) => ({ value, isFirst: true })),
    ...second.map((value) => ({ value, isFirst: false })),
  ];
  all.sort((a, b) => a.value - b.value);
  const [n, m, size] = [first.length, second.length, all.length];
  let ranks = 0;
  let ties = 0;
  for (let at = 0; at < size;) {
    let end = at;
    while (end < size && all[end]?.value === all[at]?.value) end++;
    const rank = (at + 1 + end) / 2;
    for (const { isFirst } of all.slice(at, end)) if (isFirst) ranks += rank;
    const same = end - at;
    ties += same ** 3 - same;
    at = end;
  }
  const u = ranks - (n * (n + 1)) / 2;
  const variance = ((n * m) / 12) * (size + 1 - ties / (size * (size - 1)));
  return variance === 0 ? 0 : (u - (n * m) / 2) / Math.sqrt(variance);
}

/** Scores of independent comparisons as one (Stouffer 1949). */
export const together = (scores: readonly number[]): number =>
  scores.reduce((sum, score) => sum + score, 0) / Math.sqrt(scores.length);

export const isTold = ({ t, z }: Pick<Comparison, "t" | "z">): boolean => Math.abs(t) >= LIMIT || Math.abs(z) >= LIMIT;
