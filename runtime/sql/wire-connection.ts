// The part of `pg`'s Connection that its types do not declare, and the messages that `pg`'s client does not
// pass on to a submittable: they are handed to the statement that is running.
import type { Socket } from "node:net";
import type pg from "pg";

export interface WireConnection {
  stream: Socket;
  on(event: string, listener: (message: never) => void): void;
  parse(query: { text: string; name: string; types: number[] }): void;
  bind(config: { portal: string; statement: string; values: (Buffer | null)[]; binary: boolean }): void;
  describe(message: { type: "S" | "P"; name: string }): void;
  execute(config: { portal: string; rows: number }): void;
  flush(): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

export interface Watcher {
  handleParameterDescription(oids: number[]): void;
  handleShapeKnown(): void;
  handleBindComplete(): void;
  handleCopyOut(): void;
  handleReadyForQuery(): void;
}

interface Watched {
  watcher: Watcher | undefined;
  /** I, T or E as ReadyForQuery last said. */
  status: string;
}

const connections = new WeakMap<WireConnection, Watched>();

function attach(connection: WireConnection): Watched {
  const watched: Watched = { watcher: undefined, status: "I" };
  connection.on("parameterDescription", (message: { dataTypeIDs: number[] }) =>
    watched.watcher?.handleParameterDescription(message.dataTypeIDs),
  );
  connection.on("noData", () => watched.watcher?.handleShapeKnown());
  connection.on("bindComplete", () => watched.watcher?.handleBindComplete());
  connection.on("copyOutResponse", () => watched.watcher?.handleCopyOut());
  connection.on("readyForQuery", (message: { status: string }) => {
    watched.status = message.status;
    watched.watcher?.handleReadyForQuery();
  });
  connections.set(connection, watched);
  return watched;
}

/** From now on the connection's messages go to `watcher`. */
export function watch(connection: WireConnection, watcher: Watcher | undefined): void {
  (connections.get(connection) ?? attach(connection)).watcher = watcher;
}

/** Whether the connection is idle (I), in a transaction (T) or in a failed one (E). */
export function transactionStatus(client: pg.ClientBase): string {
  const { connection } = client as unknown as { connection: WireConnection };
  return (connections.get(connection) ?? attach(connection)).status;
}
