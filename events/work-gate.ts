// Background work is claimed only while this process is ready: a process that cannot reach what it needs, or
// is on its way out, leaves the work to others.
import { checkReadiness } from "../telemetry/probes";
import { isDraining } from "../telemetry/shutdown";

const RECHECK_MS = 10_000;
let known: { isReady: boolean; atMs: number } | undefined;

/** Whether to take new work now. A yes is believed for ten seconds, a no is asked again each time. */
export async function isReadyForWork(nowMs: number = performance.now()): Promise<boolean> {
  if (isDraining()) return false;
  if (known?.isReady === true && nowMs - known.atMs < RECHECK_MS) return true;
  const readiness = await checkReadiness();
  known = { isReady: readiness.ready, atMs: nowMs };
  return readiness.ready;
}
