// JSON of callers, looked at before anything goes into it by recursion (JSON.stringify, the checks of schemas, the providers'
// packages): what is nested ten thousand times ends the stack there.
import { isBounded } from "../../security/bounded-json";

/** Of values that have no meaning to us: schemas of tools, arguments of their calls. */
export const JSON_DEPTH_MAX = 32;
export const JSON_NODES_MAX = 20_000;

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
