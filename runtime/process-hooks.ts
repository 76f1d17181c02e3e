// What the commands and the native module tell each other when they share a process. They are two
// bundles, so the meeting point is a registered symbol on the global object.

export interface ProcessHooks {
  /** Called once with the port when the first request can be answered. */
  onListening: ((port: number) => void)[];
  /** Awaited after the app has drained, before the process exits. */
  beforeExit: (() => Promise<void>)[];
}

const key = Symbol.for("groundwork.process-hooks");
const holder = globalThis as { [key]?: ProcessHooks };

export function processHooks(): ProcessHooks {
  return (holder[key] ??= { onListening: [], beforeExit: [] });
}

const shutdownKey = Symbol.for("groundwork.shutdown");

/**
 * The app's own clean-up, when it has begun one: an app may put a promise under `Symbol.for("groundwork.shutdown")`.
 * Encore has no shutdown hook (B-22), so this is a courtesy that is absent, and harmless, elsewhere.
 */
export function appShutdown(): Promise<unknown> | undefined {
  return (globalThis as { [shutdownKey]?: Promise<unknown> })[shutdownKey];
}
