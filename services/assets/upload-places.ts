// How many files may be on their way into one process at once: each holds a part or two in memory, for as long as its sender likes.
import { errors } from "./errors";

const PLACES = 32;
/** So that slow senders of one organisation leave room for others. */
const PLACES_OF_TENANT = 8;

const taken = new Map<string, number>();
let all = 0;

/** @throws APIError uploads_waiting; else the place is the caller's until they call what is answered */
export function takePlace(tenantId: string): () => void {
  const own = taken.get(tenantId) ?? 0;
  if (all >= PLACES || own >= PLACES_OF_TENANT) throw errors.uploads_waiting({ retryAfterSeconds: 1 });
  all++;
  taken.set(tenantId, own + 1);
  return () => {
    all--;
    const left = (taken.get(tenantId) ?? 1) - 1;
    if (left === 0) taken.delete(tenantId);
    else taken.set(tenantId, left);
  };
}
