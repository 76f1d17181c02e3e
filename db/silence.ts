// An end to waiting for a server that hangs: Postgres itself ends a statement that takes too long, unless it, the host or
// the network has stopped, and then nobody does. A connection on which nothing passes for longer than a statement may
// take is dropped with whatever waits on it. Measured on the socket, so it holds for everything that uses the pool (one
// statement, several in one message, COMMIT, Prisma); pg's `query_timeout` covers its own queries only, and keeps the
// connection. Source: https://nodejs.org/api/net.html#socketsettimeouttimeout-callback
import type { Socket } from "node:net";
import type { PoolClient } from "pg";

const MARGIN_MIN_MS = 1_000;
const MARGIN_MAX_MS = 5_000;

/** How long a server may say nothing about a statement that it ends itself after `statementTimeoutMs`. */
export function silenceLimitMs(statementTimeoutMs: number): number {
  return statementTimeoutMs + Math.min(MARGIN_MAX_MS, Math.max(MARGIN_MIN_MS, statementTimeoutMs));
}

/** From now on the connection is dropped when its server is silent for longer than statements of this limit may be. */
export function limitSilence(client: PoolClient, statementTimeoutMs: number): void {
  const socket = client.connection.stream as Socket;
  const limitMs = silenceLimitMs(statementTimeoutMs);
  if (socket.timeout !== limitMs) socket.setTimeout(limitMs);
}

/** Once for each new connection. */
export function dropWhenSilent(client: PoolClient): void {
  const socket = client.connection.stream as Socket;
  socket.on("timeout", () => {
    if (!isBusy(client)) return;
    const received = socket.bytesRead;
    // Where this process was busy for longer than the limit, the answer may be here and not yet read.
    setImmediate(() => {
      if (socket.bytesRead === received && isBusy(client)) socket.destroy(silent(socket.timeout ?? 0));
    });
  });
}

/** The driver's own flag, missing from its types: false while something waits for an answer. */
const isBusy = (client: PoolClient): boolean => !(client as unknown as { readyForQuery: boolean }).readyForQuery;

const silent = (limitMs: number): Error =>
  Object.assign(new Error(`the database said nothing for ${limitMs} ms; the connection was dropped`), {
    code: "ETIMEDOUT",
  });
