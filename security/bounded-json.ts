// How much a value of JSON may hold, before anything goes into it by recursion or value by value.

/** Whether a value of JSON is no deeper and has no more values within; without recursion of its own. */
export function isBounded(value: unknown, depthMax: number, nodesMax: number): boolean {
  let level: unknown[] = [value];
  let nodes = 0;
  for (let depth = 0; level.length > 0; depth++) {
    nodes += level.length;
    if (depth > depthMax || nodes > nodesMax) return false;
    level = level.flatMap((at) => (typeof at === "object" && at !== null ? (Object.values(at) as unknown[]) : []));
  }
  return true;
}
