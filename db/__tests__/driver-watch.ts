// Notes what is asked of the driver while it has something waiting behind the statement under way: pg calls that deprecated, and says
// so once in the life of a process, in the log of whoever runs the app.
import pg from "pg";
import { onTestFinished, vi } from "vitest";

/** `_queryQueue` holds what waits for the statement under way (pg/lib/client.js). */
interface Asked {
  _queryQueue: unknown[];
}

/** Stacks of those who asked so, from now on until the test ends. */
export function watchDriver(): readonly string[] {
  const queued: string[] = [];
  const ask: (...args: never[]) => unknown = pg.Client.prototype.query;
  const spy = vi.spyOn(pg.Client.prototype, "query").mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    if ((this as unknown as Asked)._queryQueue.length > 0) queued.push(new Error("queued").stack ?? "");
    return ask.apply(this, args as never[]);
  });
  onTestFinished(() => spy.mockRestore());
  return queued;
}
