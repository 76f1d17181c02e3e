// Work whose process dies at a message to the database. What dies here is the work: its connection breaks and nothing of it runs
// any further, which is all that a database sees of a killed process. The suite that uses it stands apart (suites.ts) or has a
// process of its own: it changes how pg sends.
import { AsyncLocalStorage } from "node:async_hooks";
import pg, { type PoolClient } from "pg";
import { afterAll, beforeAll } from "vitest";

export type Side = "before" | "behind";

interface Death {
  /** The message, from 1, and on which side of it. */
  at: number;
  side: Side;
  messages: number;
  /** The connection that broke. */
  broken?: PoolClient;
  died: () => void;
}

const dying = new AsyncLocalStorage<Death>();

function die(death: Death, client: PoolClient): void {
  death.broken = client;
  client.connection.stream.destroy();
  // Its place in the pool goes with the process.
  setImmediate(() => {
    client.release(true);
    death.died();
  });
}

/** To be called where a suite is declared. */
export function makeWorkMortal(): void {
  const realQuery = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  beforeAll(() => {
    pg.Client.prototype.query = function (this: PoolClient, ...args: unknown[]): unknown {
      const death = dying.getStore();
      if (death === undefined || typeof args[0] === "string") return realQuery.apply(this, args);
      // Nothing of a dead process is sent, and nobody there waits for an answer.
      if (death.broken !== undefined) {
        // A timer of its asks on a connection that the living need.
        if (death.broken !== this) setImmediate(() => this.release(true));
        return args[0];
      }
      if (++death.messages !== death.at) return realQuery.apply(this, args);
      if (death.side === "before") {
        die(death, this);
        return args[0];
      }
      (args[0] as { callback: () => void }).callback = () => die(death, this);
      return realQuery.apply(this, args);
    } as never;
  });
  afterAll(() => {
    pg.Client.prototype.query = realQuery as never;
  });
}

/** Whether the work got to its end before its death at message `at`. */
export function surviveDeath(at: number, side: Side, work: () => Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const death: Death = { at, side, messages: 0, died: () => resolve(false) };
    dying.run(death, () => {
      work().then(
        () => resolve(true),
        // A message behind its end may be its last: then it has failed, and is dead.
        (error: unknown) => (death.broken ? resolve(false) : reject(error as Error)),
      );
    });
  });
}

/**
 * Calls `act`, whose work dies at its `at`-th message, for each message there is (with `every`: for each of so many, from `from` on)
 * and both sides of it; `act` says whether the work came to its end. Answers how many messages there are, about.
 */
export async function dieEverywhere(
  act: (at: number, side: Side) => Promise<boolean>,
  { every, from }: { every: number; from: number } = { every: 1, from: 1 },
): Promise<number> {
  let messages = 0;
  for (const side of ["before", "behind"] as const) {
    let at = from;
    while (!(await act(at, side))) at += every;
    messages = at - 1;
  }
  return messages;
}
