// An orderly end. On the first SIGTERM or SIGINT the process is draining: readiness turns 503, hooks that
// stop intake run at once, and when the work in flight is done the hooks that close connections run. Both
// in reverse order of registration, each hook once. Encore has no shutdown hook of its own (contract B-22).
import { cfg } from "../config";
import { logger } from "./logger";
import { withinTime } from "./time-limit";

/** "now": stop taking work, as soon as the signal comes. "idle": after the work in flight has ended. */
export type ShutdownPhase = "now" | "idle";

interface Hook {
  name: string;
  phase: ShutdownPhase;
  run: () => Promise<void> | void;
}

const hooks: Hook[] = [];
let ending: Promise<void> | undefined;
let inFlight = 0;
let isListening = false;

/** Longest wait for work in flight; below the 5 s that Encore's runtime grants the whole drain. */
const idleWaitMs = 4000;
/** Work must have been absent this long: an answer just given may be followed by a queued request. */
const quietMs = 100;
const hookTimeoutMs = 3000;

/** Registers what must happen before the process ends. Returns the function that takes it back. */
export function onShutdown(name: string, run: () => Promise<void> | void, phase: ShutdownPhase = "now"): () => void {
  const hook: Hook = { name, phase, run };
  hooks.push(hook);
  listenOnce();
  return () => {
    const at = hooks.indexOf(hook);
    if (at >= 0) hooks.splice(at, 1);
  };
}

export function isDraining(): boolean {
  return ending !== undefined;
}

/** One more piece of work in flight; every call needs its `endWork`, whatever happens in between. */
export function beginWork(): void {
  inFlight++;
}

export function endWork(): void {
  inFlight--;
}

/** Counts `fn` as work in flight until it settles. */
export function trackWork<T>(fn: () => T): T {
  beginWork();
  let isSettled = true;
  try {
    const result = fn();
    if (result instanceof Promise) {
      isSettled = false;
      return result.finally(endWork) as T;
    }
    return result;
  } finally {
    if (isSettled) endWork();
  }
}

export function workInFlight(): number {
  return inFlight;
}

/** Begins the end, or joins the one under way. Resolves when every hook has run. Never rejects. */
export function shutDown(): Promise<void> {
  ending ??= runHooks();
  return ending;
}

async function runHooks(): Promise<void> {
  await runPhase("now");
  await untilIdle();
  await runPhase("idle");
}

async function runPhase(phase: ShutdownPhase): Promise<void> {
  for (const hook of hooks.filter((candidate) => candidate.phase === phase).reverse()) {
    try {
      await withinTime(Promise.resolve(hook.run()), hookTimeoutMs);
    } catch (error) {
      logger("shutdown").error({ err: error, hook: hook.name }, "a shutdown hook failed");
    }
  }
}

async function untilIdle(): Promise<void> {
  const deadline = performance.now() + idleWaitMs;
  let quietSince = performance.now();
  while (performance.now() < deadline) {
    if (inFlight > 0) quietSince = performance.now();
    else if (performance.now() - quietSince >= quietMs) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  logger("shutdown").warn({ inFlight }, "closing with work still in flight");
}

/** A host may wait for this promise after its own drain (docs of runtime/process-hooks.ts). */
const holder = globalThis as { [key: symbol]: Promise<void> | undefined };

function listenOnce(): void {
  if (isListening || cfg.env === "test") return;
  isListening = true;
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => endOnSignal(signal));
}

function endOnSignal(signal: NodeJS.Signals): void {
  const ended = shutDown();
  holder[Symbol.for("groundwork.shutdown")] = ended;
  void ended.then(() => {
    // Nobody else listens (a script, not the app's runtime): end as the signal asks.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  });
}
