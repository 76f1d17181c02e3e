// What this process is serving, held on to while it does: one statement for all, however many. A process that dies renews
// nothing, and its keys are free when their leases end.
import { systemQuery } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { REQUEST_RENEW } from "./store";

/**
 * How long after a crash its keys answer 409. Longer than two renewals take that wait in vain for a connection of the pool, ten
 * seconds each (db/pool.ts): under load the requests being served would lose their keys to the repeats that the load brings.
 */
export const LEASE_MS = 30_000;
const RENEW_MS = 3_000;

const leases = new Set<string>();
let timer: NodeJS.Timeout | undefined;
let isRenewing = false;

/** Returns the end of it. */
export function holdLease(leaseId: string): () => void {
  leases.add(leaseId);
  timer ??= setInterval(() => void renew(), RENEW_MS).unref();
  return () => {
    leases.delete(leaseId);
    if (leases.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Exported for its test. */
export async function renew(): Promise<void> {
  if (isRenewing || leases.size === 0) return;
  isRenewing = true;
  try {
    await systemQuery("renew-idempotency-leases", REQUEST_RENEW, [[...leases], LEASE_MS]);
  } catch (error) {
    // One that another takes over is neither marked nor answered by this process any more.
    logger("idempotency").warn({ err: error }, "requests that are being served could not be held on to");
  } finally {
    isRenewing = false;
  }
}
