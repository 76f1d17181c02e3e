// A reading that many ask for and one makes.

/** Joins the reading under way, or one that began `keptMs` ago or less; one that failed is made again. */
export function createShared<T>(read: () => Promise<T>, keptMs: number): (nowMs?: number) => Promise<T> {
  let latest: { beganMs: number; isUnderWay: boolean; result: Promise<T> } | undefined;
  return (nowMs = performance.now()) => {
    if (latest !== undefined && (latest.isUnderWay || nowMs - latest.beganMs <= keptMs)) return latest.result;
    const reading = { beganMs: nowMs, isUnderWay: true, result: read() };
    latest = reading;
    reading.result.then(
      () => (reading.isUnderWay = false),
      () => (latest = latest === reading ? undefined : latest),
    );
    return reading.result;
  };
}
