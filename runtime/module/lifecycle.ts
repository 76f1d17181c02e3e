// From the first request to the exit code (contract 12.4): parts start in order, those that take
// work drain first, and a deadline ends a drain that does not end by itself.
import { processHooks, appShutdown } from "../process-hooks";
import type { Host, Part } from "../host";

const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal));
  });
}

/** Resolves true when `work` ended within `limitMs`. */
async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function drain(host: Pick<Host, "log">, part: Part): Promise<void> {
  try {
    await part.drain();
  } catch (error) {
    host.log.error(`draining ${part.name} failed`, error);
  }
}

/**
 * Ends intake everywhere at once, so that a slow message does not keep the listener open for requests that would find
 * the app half closed; what the work in flight needs is drained after it.
 */
export async function drainAll(host: Pick<Host, "log">, started: readonly Part[]): Promise<void> {
  await Promise.all(started.filter((part) => part.takesWork).map((part) => drain(host, part)));
  for (const part of started.filter((one) => !one.takesWork).reverse()) await drain(host, part);
  await appShutdown();
}

/**
 * Milliseconds in which requests are still taken after the signal while health says 503, so that a load balancer
 * learns of the end first: what Kubernetes grants beyond the time for the drain itself (B-21).
 */
function keepAcceptingMs(env: NodeJS.ProcessEnv, drainMs: number): number {
  const seconds = Number(env.ENCORE_K8S_GRACE_TERMINATION_SECONDS ?? 0);
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000 - drainMs) : 0;
}

/**
 * Starts the parts, serves until the first SIGINT or SIGTERM, drains (B-21). `broken` ends it as a signal does, with an
 * exit code of its own.
 * @returns the exit code: 0 after a complete drain, 1 when `gracefulShutdownMs` passed first
 */
export async function runUntilSignal(
  host: Host,
  parts: Part[],
  http: { port: number },
  broken?: Promise<number>,
): Promise<number> {
  const signal = broken ? Promise.race([firstSignal(), broken]) : firstSignal();
  const started: Part[] = [];
  for (const part of parts) {
    await part.start();
    started.push(part);
  }
  for (const listener of processHooks().onListening) listener(http.port);
  const cause = await signal;
  host.log.debug("shutting down", { signal: cause });
  for (const part of started) part.announceEnd?.();
  const limitMs = host.config.gracefulShutdownMs;
  await new Promise((resolve) => setTimeout(resolve, keepAcceptingMs(process.env, limitMs)));
  const complete = await endsWithin(drainAll(host, started), limitMs);
  if (!complete) host.log.warn("shutdown took longer than allowed; leaving work in flight", { limit_ms: limitMs });
  for (const hook of processHooks().beforeExit) await hook();
  if (typeof cause === "number" && cause !== 0) return cause;
  return complete ? 0 : 1;
}
