// Databases that hang instead of failing: for tests of what waits for them.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { AppDB } from "../../database";

const undoing: (() => void)[] = [];

/** Runs when the test is over, the last first. */
export function onEnd(undo: () => void): void {
  undoing.push(undo);
}

export function endLines(): void {
  for (const undo of undoing.splice(0).reverse()) undo();
}

/** A database that takes connections and never says a word; `sockets` are those that are open. */
export async function silentDatabase(): Promise<{ url: string; sockets: Set<Socket>; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.resume();
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `postgresql://app:x@127.0.0.1:${port}/app?sslmode=disable`, sockets, server };
}

/** The real database behind a line that can be made silent: connections stay, nothing passes. */
export async function throughDatabase(
  database = AppDB.connectionString,
): Promise<{ url: string; sockets: Set<Socket>; isSilent: boolean }> {
  const { url, sockets, server } = await silentDatabase();
  const target = new URL(database);
  const line = {
    url: Object.assign(new URL(database), { host: new URL(url).host }).href,
    sockets,
    isSilent: false,
  };
  server.on("connection", (socket: Socket) => {
    const back = connect(Number(target.port || "5432"), target.hostname);
    socket.on("data", (bytes) => line.isSilent || back.write(bytes)).on("close", () => back.destroy());
    back.on("data", (bytes) => line.isSilent || socket.write(bytes)).on("close", () => socket.destroy());
    back.on("error", () => undefined);
  });
  return line;
}
