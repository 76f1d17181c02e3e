// Readiness: every part that the app cannot serve without registers a probe, and so may a part that it does without for a while:
// that one is told of, but takes nobody out of service. Results are shared between
// callers and kept for a moment, so that probing stays cheap however many ask.
import { createShared } from "./shared-look";
import { isDraining } from "./shutdown";
import { withinTime } from "./time-limit";

export interface ProbeResult {
  name: string;
  ok: boolean;
  /** Whether the app is not ready without it. */
  isVital: boolean;
  durationMs: number;
  /** Internal text: for the log, not for the wire. */
  error?: unknown;
}

export interface Readiness {
  ready: boolean;
  draining: boolean;
  checks: readonly ProbeResult[];
}

type Check = () => Promise<void>;

interface ProbeOptions {
  timeoutMs?: number;
  /** False for a part that all replicas share and that requests are answered without: were it vital, its fall would be everybody's. */
  isVital?: boolean;
}

type Probe = Required<ProbeOptions> & { check: Check };

const probes = new Map<string, Probe>();
const KEPT_MS = 500;
const newRun = () => createShared(runProbes, KEPT_MS);
let run = newRun();

/** Registers a check that resolves when the part works and rejects when not. A name registered again replaces the former check. */
export function registerProbe(
  name: string,
  check: Check,
  { timeoutMs = 2000, isVital = true }: ProbeOptions = {},
): () => void {
  probes.set(name, { check, timeoutMs, isVital });
  run = newRun();
  return () => {
    probes.delete(name);
    run = newRun();
  };
}

/**
 * Runs every probe, or joins the run under way or one that began in the last half second: a part that hangs is asked
 * once, however many wait for it. A draining process is never ready.
 */
export async function checkReadiness(nowMs?: number): Promise<Readiness> {
  const checks = await run(nowMs);
  return {
    ready: !isDraining() && checks.every((probe) => probe.ok || !probe.isVital),
    draining: isDraining(),
    checks,
  };
}

function runProbes(): Promise<readonly ProbeResult[]> {
  return Promise.all([...probes].map(([name, probe]) => runProbe(name, probe)));
}

async function runProbe(name: string, { check, timeoutMs, isVital }: Probe): Promise<ProbeResult> {
  const startedAt = performance.now();
  try {
    await withinTime(check(), timeoutMs);
    return { name, ok: true, isVital, durationMs: performance.now() - startedAt };
  } catch (error) {
    return { name, ok: false, isVital, durationMs: performance.now() - startedAt, error };
  }
}
