// A database that hangs instead of failing, as behind a firewall that has forgotten a connection: for tests of what waits for it.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";

/** The database behind a line that can be made silent: connections stay, nothing passes. */
export async function lineTo(database: string): Promise<{ url: string; isSilent: boolean; close: () => void }> {
  const target = new URL(database);
  const sockets = new Set<Socket>();
  const line = { url: "", isSilent: false, close: () => undefined as void };
  const server = createServer((socket) => {
    const folder = target.searchParams.get("host");
    const port = Number(target.port || "5432");
    const back = folder ? connect(join(folder, `.s.PGSQL.${port}`)) : connect(port, target.hostname);
    for (const side of [socket, back]) sockets.add(side.on("error", () => undefined));
    socket.on("data", (bytes) => line.isSilent || back.write(bytes)).on("close", () => back.destroy());
    back.on("data", (bytes) => line.isSilent || socket.write(bytes)).on("close", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  line.url = Object.assign(new URL(target), { host: `127.0.0.1:${port}`, search: "?sslmode=disable" }).href;
  line.close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return line;
}
