// What a listener on the open network meets: malformed requests, slow ones, huge ones, cut ones. The process has to
// answer or hang up, keep its memory, and serve the next client.
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type AppProcess } from "./support/app-process";

const kit = join(import.meta.dirname, "../../__tests__/parity/http/app");
let app: AppProcess;
beforeAll(async () => {
  app = await startApp(kit);
});
afterAll(() => app.stop());

const open = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(app.port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });

/** Everything the server says until it hangs up or `enough` is there. */
async function talk(bytes: string | Buffer, enough: RegExp = /$^/, end = false): Promise<string> {
  const socket = await open();
  socket.on("error", () => undefined);
  let text = "";
  const done = new Promise<void>((resolve) => {
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (enough.test(text)) resolve();
    });
    socket.on("close", () => resolve());
  });
  socket.write(bytes);
  if (end) socket.end();
  await done;
  socket.destroy();
  return text;
}

/** Clients that got their answer to a CONNECT, keep their side open and go on to send. */
const lingering: Socket[] = [];

const get = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${app.port}${path}`)).status;
const alive = async (): Promise<void> => {
  expect(app.child.exitCode).toBeNull();
  expect(await get("/routes/get")).toBe(200);
};

test.each([
  ["no HTTP at all", "NOT HTTP\r\n\r\n", 400],
  ["a header line without a colon", "GET /routes/get HTTP/1.1\r\nHost: a\r\nbad header line\r\n\r\n", 400],
  ["a length that is no number", "POST /bodies/basic HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n", 400],
  [
    "both length and chunks",
    "POST /bodies/basic HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["a broken chunk", "POST /bodies/basic HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
  ["an unknown method", "BREW /routes/get HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405],
  ["a head of ten megabytes", `GET /routes/get HTTP/1.1\r\nHost: a\r\nX-Big: ${"h".repeat(10 << 20)}\r\n\r\n`, 431],
  ["a request line of ten megabytes", `GET /routes/${"p".repeat(10 << 20)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
  [
    "a hundred and fifty headers",
    `GET /routes/get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${Array.from({ length: 150 }, (_, i) => `X-${i}: v\r\n`).join("")}\r\n`,
    431,
  ],
])("%s is answered and ends the connection", async (_name, bytes, status) => {
  expect(await talk(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  await alive();
});

test("what the client of a refused CONNECT does next, a reset or more bytes, harms nobody", async () => {
  for (let i = 0; i < 20; i++) {
    const socket = await open();
    socket.on("error", () => undefined);
    socket.write("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n");
    if (i % 2) await new Promise((resolve) => socket.once("data", resolve));
    socket.resetAndDestroy();
  }
  await alive();
  const socket = connect({ port: app.port, host: "127.0.0.1", allowHalfOpen: true });
  lingering.push(socket.on("error", () => undefined));
  socket.write("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  await new Promise<void>((resolve) => void socket.write("more", () => resolve()));
  await alive();
});

test("a request that comes byte by byte is served when it is complete", async () => {
  const socket = await open();
  let text = "";
  socket.on("data", (data) => (text += data.toString()));
  for (const char of "GET /routes/get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") {
    socket.write(char);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => socket.once("close", resolve));
  expect(text).toContain("HTTP/1.1 200");
});

test("clients that say nothing, or half a request, do not keep others out", async () => {
  const silent = await Promise.all(Array.from({ length: 200 }, open));
  for (const [i, socket] of silent.entries())
    if (i % 2) socket.write("POST /bodies/basic HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
  await alive();
  for (const socket of silent) socket.destroy();
  await alive();
});

test("a client that closes its sending half still gets its answer", async () => {
  expect(await talk("GET /routes/get HTTP/1.1\r\nHost: a\r\n\r\n", /"get\\""\}/, true)).toContain("HTTP/1.1 200");
});

test("a client that hangs up in the middle of its body, or of the answer, harms nobody", async () => {
  for (let i = 0; i < 50; i++) {
    const socket = await open();
    socket.on("error", () => undefined);
    socket.write(
      i % 2
        ? 'POST /limits/default HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{"text":"aaa'
        : "GET /raw/write/chunks HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    socket.resetAndDestroy();
  }
  await alive();
});

// A heap grows by some 30 MB on Node 20 and 60 MB on Node 24 for what it has not collected yet, however much is sent.
const SENT_MB = 200;

test.each([
  ["its length", `Content-Length: ${SENT_MB << 20}`, (data: Buffer) => [data]],
  [
    "chunks",
    "Transfer-Encoding: chunked",
    (data: Buffer) => [Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")],
  ],
])(
  "a body of 200 MB above the limit, told by %s, is refused and its rest is not kept",
  async (_how, header, framed) => {
    const status = `/proc/${app.child.pid}/status`;
    const residentKb = (): number =>
      existsSync(status) ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1]) : 0;
    await alive();
    const before = residentKb();
    const megabyte = Buffer.concat(framed(Buffer.alloc(1 << 20, "a")));
    const socket = await open();
    socket.setMaxListeners(0);
    let answer = "";
    socket.on("data", (data) => (answer += data.toString()));
    socket.on("error", () => undefined);
    socket.write(`POST /limits/small HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`);
    for (let i = 0; i < SENT_MB && !socket.destroyed; i++) {
      if (!socket.write(megabyte))
        await Promise.race([
          new Promise((resolve) => socket.once("drain", resolve)),
          new Promise((resolve) => socket.once("close", resolve)),
        ]);
    }
    if (!socket.destroyed && answer === "")
      await Promise.race([
        new Promise((resolve) => socket.once("data", resolve)),
        new Promise((resolve) => socket.once("close", resolve)),
      ]);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    socket.destroy();
    await alive();
    expect(residentKb() - before).toBeLessThan((SENT_MB / 2) * 1024);
  },
);

test("pipelined requests are answered in order", async () => {
  const one = (path: string, close = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${close}\r\n`;
  const text = await talk(one("/routes/pri/one") + one("/nowhere") + one("/routes/pri/three", "Connection: close\r\n"));
  expect(text.match(/HTTP\/1.1 (\d+)/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
  expect(text.indexOf("one")).toBeLessThan(text.indexOf("three"));
});

test("every request and every thrown value leaves the process running", async () => {
  for (const what of ["null", "undefined", "string", "symbol"]) {
    expect(await get(`/faults/throw/${what}`)).toBe(500);
    expect(await get(`/faults/sync/${what}`)).toBe(500);
  }
  await alive();
});

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

test.each([
  ["an unmasked frame", [0x81, 0x02, 0x7b, 0x7d]],
  ["a reserved opcode", [0x83, 0x80, 0, 0, 0, 0]],
  ["a frame that claims 2^62 bytes", [0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ["text that is not UTF-8", [0x81, 0x81, 0, 0, 0, 0, 0xff]],
  ["a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0]],
])("a WebSocket with %s is closed", async (_name, frame) => {
  const text = await talk(Buffer.concat([Buffer.from(handshake("/live/echo")), Buffer.from(frame)]));
  expect(text).toMatch(/^HTTP\/1.1 101 /);
  await alive();
});

test("an upgrade to something else than a stream is served as a plain request, body included", async () => {
  const body = JSON.stringify({ s: "x", n: 1, b: true });
  const text = await talk(
    `POST /bodies/basic HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  expect(text).toContain("HTTP/1.1 200");
  expect(text).toContain("seen");
});

test("upgrades that are ignored leave nothing on their connection", async () => {
  const one = "GET /routes/get HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n";
  const socket = await open();
  for (let i = 0; i < 20; i++) {
    let text = "";
    socket.write(one);
    while (!/"get\\""\}/.test(text))
      text += await new Promise<string>((resolve) => socket.once("data", (data) => resolve(data.toString())));
    expect(text).toMatch(/^HTTP\/1.1 200 /);
  }
  socket.destroy();
  await alive();
  expect(app.log()).not.toContain("MaxListenersExceededWarning");
});

test.runIf(existsSync("/proc/net/tcp"))("the kernel looks after a client that says nothing any more", async () => {
  const socket = await open();
  const portOf = (port: number | undefined): string => `:${(port ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  await alive();
  const timer = (): string | undefined =>
    readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find(
        ([, local, remote]) => local?.endsWith(portOf(app.port)) && remote?.endsWith(portOf(socket.localPort)),
      )?.[5];
  // The timer that is running: 02 is that of the probes (Linux, Documentation/networking/proc_net_tcp.rst). One that is due
  // or just being set is none for a moment.
  await expect.poll(timer).toMatch(/^02:/);
  socket.destroy();
});

test("a signal lets answers in flight finish, and the process ends with code 0", async () => {
  expect(lingering).toHaveLength(1);
  const idle = await open();
  const slow = await open();
  let text = "";
  const first = new Promise<void>((resolve) =>
    slow.on("data", (data) => {
      text += data.toString();
      if (text.includes("\r\na\r\n")) resolve();
    }),
  );
  slow.write("GET /raw/write/chunks HTTP/1.1\r\nHost: a\r\n\r\n");
  await first;
  const ended = new Promise((resolve) => app.child.once("exit", resolve));
  app.child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(text.split("\r\n\r\n").slice(1).join("")).toBe("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0");
  idle.destroy();
  for (const socket of lingering) socket.destroy();
});
