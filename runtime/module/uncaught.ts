// What a raw handler throws in a later turn (a timer, a listener, a promise that nobody awaits) reaches nobody, and would end
// the process with every request in it. It is logged and answers its own request. What is thrown outside of raw handlers ends
// the process as before: nobody knows what state that leaves.
import type { HostLog } from "../host";
import { currentLink } from "../http/raw-objects";

/** Node reports what a microtask throws when its context is gone already: a raw handler's is thrown from a tick, which has one. */
function keepContextOfMicrotasks(): void {
  const queue = globalThis.queueMicrotask;
  const throwLater = (thrown: unknown): void =>
    process.nextTick(() => {
      throw thrown;
    });
  globalThis.queueMicrotask = (callback) => {
    if (currentLink() === undefined || typeof callback !== "function") return queue(callback);
    queue(() => {
      try {
        callback();
      } catch (thrown) {
        throwLater(thrown);
      }
    });
  };
}

export function surviveRawHandlers(log: HostLog): void {
  keepContextOfMicrotasks();
  const onUncaught = (thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin): void => {
    const link = currentLink();
    if (link) {
      const what = origin === "unhandledRejection" ? "a promise of a raw handler was rejected" : "a raw handler threw";
      log.error(`${what} where nothing catches it`, thrown);
      link.lost(thrown);
    } else if (process.listenerCount("uncaughtException") === 1) {
      process.off("uncaughtException", onUncaught);
      setImmediate(() => {
        throw thrown;
      });
    }
  };
  process.on("uncaughtException", onUncaught);
}
