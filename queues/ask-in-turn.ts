// BullMQ's workers all ask the one client that listens when they start, each without waiting for the others. The driver calls what it
// then queues deprecated, and will refuse it: they wait for their turns here.
import type { PoolClient } from "pg";

type Ask = (...args: unknown[]) => unknown;

/** From now on what is asked of the client, and answered by a promise, is asked when what was asked before has its answer. */
export function askInTurn(client: PoolClient): void {
  const ask = client.query.bind(client) as Ask;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn: Ask = (...args) => {
    // Whoever calls back, or reads the answer itself, has the client alone.
    if (typeof args.at(-1) === "function" || hasSubmit(args[0])) return ask(...args);
    const answer = last.then(() => ask(...args));
    last = answer.catch(() => undefined);
    return answer;
  };
  client.query = inTurn as PoolClient["query"];
}

const hasSubmit = (query: unknown): boolean => typeof query === "object" && query !== null && "submit" in query;
