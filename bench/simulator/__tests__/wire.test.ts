// What lies between the app and its servers does what its faults say.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Wire } from "../wire";

let server: Server;
let wire: Wire;

beforeEach(async () => {
  server = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  wire = await Wire.to(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  await wire.close();
  server.close();
});

async function dial(): Promise<Socket> {
  const { port, hostname } = new URL(wire.through("postgresql://someone@db.example/app"));
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  return socket;
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString();
}

test("bytes go through it, and a cut resets every connection but no later one", async () => {
  const socket = await dial();
  expect(await echo(socket, "one")).toBe("one");
  const ended = once(socket, "error");
  wire.cut();
  expect(await ended).toMatchObject([{ code: "ECONNRESET" }]);
  const next = await dial();
  expect(await echo(next, "two")).toBe("two");
  next.destroy();
});

test("what is sent into a silence arrives behind it, on old connections and on new ones", async () => {
  const old = await dial();
  expect(await echo(old, "one")).toBe("one");
  wire.silence();
  const fresh = await dial();
  let heard = "";
  for (const socket of [old, fresh]) socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  const other = await Wire.to(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  old.write("a");
  fresh.write("b");
  // Bytes that were on their way as long as these would have come by now.
  const beside = connect(Number(new URL(other.through("redis://x")).port), "127.0.0.1");
  await once(beside, "connect");
  expect(await echo(beside, "beside")).toBe("beside");
  expect(heard).toBe("");
  const both = Promise.all([once(old, "data"), once(fresh, "data")]);
  wire.resume();
  await both;
  expect([...heard].sort().join("")).toBe("ab");
  for (const socket of [old, fresh, beside]) socket.destroy();
  await other.close();
});
