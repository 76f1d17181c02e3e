// An end to waiting for a Postgres that hangs: where the host, the network or a firewall between drops what is sent, no
// error comes, and TCP itself gives up after hours. A connection on which nothing passes while somebody waits for an answer
// is destroyed, so that all who wait learn it and the pool makes a new one; pg's `query_timeout` would keep the connection.
// Measured on the socket. Source: https://nodejs.org/api/net.html#socketsettimeouttimeout-callback
import type { Socket } from "node:net";
import type { ClientBase } from "pg";

/**
 * Parts of pg's client that its types leave out: `readyForQuery` is false while something waits for an answer, `_ending`
 * is true from `end()` on, which waits for the server to close.
 */
interface Driver {
  connection: { stream: Socket };
  readyForQuery: boolean;
  _ending: boolean;
}

/** Once for each new connection, before its first statement; `limitMs` is longer than any statement on it takes. */
export function dropWhenSilent(client: ClientBase, limitMs: number): void {
  const driver = client as unknown as Driver;
  const socket = driver.connection.stream;
  const isAwaited = (): boolean => !driver.readyForQuery || driver._ending;
  limitSilence(client, limitMs);
  socket.on("timeout", () => {
    if (!isAwaited()) return;
    const received = socket.bytesRead;
    // Where this process was busy for longer than the limit, the answer may be here and not yet read.
    setImmediate(() => {
      if (socket.bytesRead === received && isAwaited()) socket.destroy(silent(socket.timeout ?? limitMs));
    });
  });
}

/** Another limit, from now on. */
export function limitSilence(client: ClientBase, limitMs: number): void {
  (client as unknown as Driver).connection.stream.setTimeout(limitMs);
}

const silent = (limitMs: number): Error =>
  Object.assign(new Error(`Postgres said nothing for ${limitMs} ms; the connection was dropped`), {
    code: "ETIMEDOUT",
  });
