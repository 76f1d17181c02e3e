// Calls of services that other processes host end, whatever the other process does.
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Exchange } from "../exchange";
import { callPeer, Peer, type PeerLimits } from "../peers";

const NEVER_MS = 2 ** 31 - 1;
const servers: (HttpServer | Server)[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function portOf(server: HttpServer | Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
const peerAt = (baseUrl: string, limits: Partial<PeerLimits>): Peer =>
  new Peer(
    "shop",
    { baseUrl, key: { id: 1, key: "a".repeat(32) } },
    { appId: "app", environment: "test" },
    { connectMs: NEVER_MS, silenceMs: NEVER_MS, ...limits },
  );
const exchange = {
  inbound: { method: "POST", target: "/shop.buy", lines: [] },
  caller: null,
  trace: { parent: undefined },
  body: "{}",
} as unknown as Exchange;
const call = (peer: Peer): Promise<unknown> => callPeer(peer, exchange, "api:test.caller");
const away = (port: number, why: string): object => ({
  code: "unavailable",
  internal: expect.stringMatching(new RegExp(`^calling shop at https?://127.0.0.1:${port} failed: ${why}$`)) as string,
});

test("a peer that is connected and says nothing has not answered", async () => {
  const port = await portOf(createServer());
  await expect(call(peerAt(`http://127.0.0.1:${port}`, { silenceMs: 50 }))).rejects.toMatchObject(
    away(port, "no word within 50 ms"),
  );
});

test("nor has one that falls silent within its answer", async () => {
  const port = await portOf(
    createHttpServer((_req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-length": "20" });
      res.write('{"half":');
    }),
  );
  await expect(call(peerAt(`http://127.0.0.1:${port}`, { silenceMs: 50 }))).rejects.toMatchObject(
    away(port, "no word within 50 ms"),
  );
});

test("nor has one whose connection is never made: it takes bytes, and its TLS does not begin", async () => {
  const port = await portOf(createServer());
  await expect(call(peerAt(`https://127.0.0.1:${port}`, { connectMs: 50 }))).rejects.toMatchObject(
    away(port, "no connection within 50 ms"),
  );
});

test("one that answers has no limit on the connection that it keeps", async () => {
  const port = await portOf(createHttpServer((_req, res) => res.writeHead(204).end()));
  const peer = peerAt(`http://127.0.0.1:${port}`, { connectMs: 5_000, silenceMs: 5_000 });
  for (let n = 0; n < 2; n++) await expect(call(peer)).resolves.toMatchObject({ status: 204 });
  expect(sockets).toHaveLength(1);
});
