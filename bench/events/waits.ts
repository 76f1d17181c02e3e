// What a run is told by: its rate, and how long events waited.

export interface Figures {
  perSecond: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
}

export function figuresOf(waitsMs: readonly number[], seconds: number): Figures {
  const sorted = [...waitsMs].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { perSecond: waitsMs.length / seconds, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

export const nowMs = (): number => performance.timeOrigin + performance.now();
