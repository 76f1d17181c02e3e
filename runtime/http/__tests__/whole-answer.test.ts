// An answer in one write is the answer that node would have sent, and the connections that carry them end when they were idle.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Connection, idleConnections, latest, withoutTimer } from "../connections";
import { Listener } from "../server";
import { sendWhole } from "../whole-answer";

type Handle = (req: IncomingMessage, res: ServerResponse) => void;

let handle: Handle;
const connections = new Set<Connection>();
const server = createServer({ keepAliveTimeout: 65_000, noDelay: true }, (req, res) => {
  (req.socket as Connection)[latest] = res;
  handle(req, res);
});
server.on("connection", (socket: Socket) => {
  connections.add(socket);
  withoutTimer(socket);
  socket.once("close", () => connections.delete(socket));
});

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  await vi.waitFor(() => expect(connections.size).toBe(0), { timeout: 90_000 });
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const clients: Socket[] = [];

const open = async (): Promise<Socket> => {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  clients.push(socket);
  await once(socket, "connect");
  return socket;
};

/** What arrives until `count` answers with the body `end` are there. */
async function read(socket: Socket, end: string, count = 1): Promise<string> {
  let text = "";
  while (text.split(end).length <= count) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    text += chunk.toString("latin1");
  }
  return text;
}

async function answer(how: Handle, request: string, end: string): Promise<string> {
  handle = how;
  const socket = await open();
  socket.write(request);
  return read(socket, end);
}

const byNode =
  (status: number): Handle =>
  (_req, res) => {
    res.writeHead(status, ["content-length", "9", "x-first", "1", "content-type", "text/plain"]);
    res.end("the body.");
  };
const whole =
  (status: number): Handle =>
  (req, res) => {
    if (!sendWhole(req, res, status, "x-first: 1\r\ncontent-type: text/plain\r\n", "the body."))
      byNode(status)(req, res);
  };
/** Names and values, without their order and the time. */
const parts = (text: string): string[] => {
  const [head = "", body = ""] = text
    .replace(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$/m, "the date\r")
    .split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  return [first, ...lines.sort(), body];
};

const requests = {
  "1.1": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "1.1 with a body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
  "1.1 that ends the connection": "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "1.0": "GET / HTTP/1.0\r\n\r\n",
  "1.0 that keeps the connection": "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
};

test.each(Object.entries(requests))("is what node sends for HTTP/%s", async (_name, request) => {
  for (const status of [200, 201, 404, 418, 500, 599]) {
    expect(parts(await answer(whole(status), request, "the body."))).toEqual(
      parts(await answer(byNode(status), request, "the body.")),
    );
  }
});

test("answers to pipelined requests keep their order, whichever is ready first", async () => {
  const waiting: (() => void)[] = [];
  handle = (req, res) =>
    void waiting.push(() => expect(sendWhole(req, res, 200, "", `answer to ${req.url};`)).toBe(true));
  const socket = await open();
  socket.write(
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  await vi.waitFor(() => expect(waiting.length).toBe(3), { timeout: 90_000 });
  for (const send of waiting.reverse()) send();
  expect((await read(socket, ";", 3)).match(/answer to \/\w;/g)).toEqual([
    "answer to /a;",
    "answer to /b;",
    "answer to /c;",
  ]);
});

test("a request whose body nobody read does not stop the next one", async () => {
  handle = (req, res) =>
    req.once("end", () => undefined) && setImmediate(() => sendWhole(req, res, 200, "", `got ${req.url};`));
  const socket = await open();
  for (const path of ["/one", "/two"]) {
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`);
    expect(await read(socket, ";")).toContain(`got ${path};`);
  }
});

test("nothing is done when the head is made already, or when node keeps it elsewhere", async () => {
  const tries: boolean[] = [];
  handle = (req, res) => {
    res.writeHead(200, ["content-length", "1"]);
    tries.push(sendWhole(req, res, 200, "", "no"));
    tries.push(sendWhole(req, Object.create(res, { _header: { value: undefined } }) as ServerResponse, 200, "", "no"));
    res.end("!");
  };
  expect(await answer(handle, requests["1.1"], "!")).toContain("HTTP/1.1 200 OK");
  expect(tries).toEqual([false, false]);
});

test("idle connections are those without a request over as many looks", async () => {
  handle = whole(200);
  await open();
  const [quiet, busy, waiting] = [await open(), await open(), await open()];
  for (const socket of [quiet, busy]) {
    socket.write(requests["1.1"]);
    await read(socket, "the body.");
  }
  let finish: (() => void) | undefined;
  handle = (req, res) => (finish = () => whole(200)(req, res));
  waiting.write(requests["1.1"]);
  await vi.waitFor(() => expect(finish).toBeDefined(), { timeout: 90_000 });
  handle = whole(200);

  const portsOf = (found: Socket[]): (number | undefined)[] => found.map((socket) => socket.remotePort);
  for (let look = 0; look < 3; look++) {
    expect(portsOf(idleConnections(connections, 3))).toEqual([]);
    busy.write(requests["1.1"]);
    await read(busy, "the body.");
  }
  expect(portsOf(idleConnections(connections, 3))).toEqual([quiet.localPort]);
  finish?.();
  await read(waiting, "the body.");
  for (let look = 0; look < 3; look++)
    expect(portsOf(idleConnections(connections, 3))).not.toContain(waiting.localPort);
  expect(portsOf(idleConnections(connections, 3))).toEqual([quiet, busy, waiting].map((socket) => socket.localPort));
});

const listening = async (): Promise<Listener> => {
  const listener = new Listener({
    serve: whole(200),
    takesUpgrade: () => false,
    upgrade: () => undefined,
    failed: () => undefined,
    hasStreams: false,
  });
  await listener.listen("127.0.0.1", 0);
  return listener;
};

test("a listener that drains answers whoever had just connected, and ends those that were idle", async () => {
  const listener = await listening();
  // Accepted before the other, which has been answered when the end begins.
  const late = connect(listener.port, "127.0.0.1");
  await once(late, "connect");
  const idle = connect(listener.port, "127.0.0.1");
  clients.push(idle, late);
  idle.write(requests["1.1"]);
  await read(idle, "the body.");
  const idleEnds = once(idle, "end");
  const drained = listener.drain();
  await idleEnds;
  late.write(requests["1.1"]);
  expect(await read(late, "the body.")).toContain("Connection: close");
  await drained;
});

test("a listener ends a connection 65 to 70 s after its last answer, not before", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const listener = await listening();
  const socket = connect(listener.port, "127.0.0.1");
  let ended = false;
  socket.once("end", () => (ended = true));
  const ask = async (): Promise<void> => {
    socket.write(requests["1.1"]);
    await read(socket, "the body.");
  };
  await ask();
  vi.advanceTimersByTime(64_000);
  await ask();
  vi.advanceTimersByTime(65_000);
  await ask();
  expect(ended).toBe(false);
  vi.advanceTimersByTime(70_000);
  await once(socket, "end");
  const drained = listener.drain();
  vi.useRealTimers();
  await drained;
});
