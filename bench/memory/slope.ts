// Growth per piece of work: the slope of the least-squares line through samples, which one odd sample does not bend much.

export interface Sample {
  /** Pieces of work done so far. */
  done: number;
  bytes: number;
}

/** Bytes per piece of work; 0 for fewer than two samples. */
export function slopeOf(samples: readonly Sample[]): number {
  const n = samples.length;
  const meanDone = samples.reduce((sum, { done }) => sum + done, 0) / n;
  const meanBytes = samples.reduce((sum, { bytes }) => sum + bytes, 0) / n;
  let covariance = 0;
  let variance = 0;
  for (const { done, bytes } of samples) {
    covariance += (done - meanDone) * (bytes - meanBytes);
    variance += (done - meanDone) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
