// JSON of callers, looked at before anything goes into it by recursion (JSON.stringify, the checks of schemas, the providers'
// packages): what is nested ten thousand times ends the stack there.

/** Of values that have no meaning to us: schemas of tools, arguments of their calls. */
export const JSON_DEPTH_MAX = 32;
export const JSON_NODES_MAX = 20_000;

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

/**
 * The text as it is when it is read and written again, which is what is sent on: `1e20` is longer then. Undefined for what is no
 * JSON, or too deep. (V8 reads without recursion, and writes with it.)
 */
export function canonicalJson(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isBounded(value, JSON_DEPTH_MAX, JSON_NODES_MAX) ? JSON.stringify(value) : undefined;
  } catch {
    return undefined;
  }
}
