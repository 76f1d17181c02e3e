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
 * Starts the parts, serves until the first SIGINT or SIGTERM, drains (B-21).
 * @returns the exit code: 0 after a complete drain, 1 when `gracefulShutdownMs` passed first
 */
export async function runUntilSignal(host: Host, parts: Part[], http: { port: number }): Promise<number> {
  const signal = firstSignal();
  const started: Part[] = [];
  for (const part of parts) {
    await part.start();
    started.push(part);
  }
  for (const listener of processHooks().onListening) listener(http.port);
  host.log.debug("shutting down", { signal: await signal });
  const complete = await endsWithin(drainAll(host, started), host.config.gracefulShutdownMs);
  if (!complete) host.log.warn("shutdown took longer than allowed; leaving work in flight", { limit_ms: host.config.gracefulShutdownMs });
  for (const hook of processHooks().beforeExit) await hook();
  return complete ? 0 : 1;
}
