// Raw endpoints see what node's own server shows its handlers: each scenario is played against `node:http` and against the
// host, in one process, in worker threads and behind a gateway in another process, and both must tell the same story.
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faults, handlers } from "../../__tests__/fixtures/raw-app/web/handlers";
import { prepareApp, startApp } from "./support/app-process";

const fixture = join(import.meta.dirname, "../../__tests__/fixtures/raw-app");

type Story = [what: string, value: unknown][];

interface Subject {
  port: number;
  /** What the handler of this name has told since `forget`. */
  told(name: string): Story;
  forget(): void;
  /** Resident memory of the processes, in MB. */
  memory(): number;
  stop(): Promise<void>;
}

const until = async (condition: () => boolean, what: () => unknown): Promise<void> => {
  const deadline = Date.now() + 45_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not come to pass: ${JSON.stringify(what())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

async function nodesOwn(): Promise<Subject> {
  const told: { name: string; entry: Story[number] }[] = [];
  const server: Server = createServer((req, res) => {
    const name = req.url?.split("/")[2] ?? "";
    void handlers[name]?.(req, res, (what, value = null) => {
      told.push({ name, entry: JSON.parse(JSON.stringify([what, value])) as Story[number] });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    told: (name) => told.filter((one) => one.name === name).map(({ entry }) => entry),
    forget: () => void told.splice(0),
    memory: () => residentMb(process.pid),
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

interface Started {
  port: number;
  child: { pid?: number | undefined; exitCode: number | null };
  log(): string;
  stop(): Promise<void>;
}

function subject(port: number, processes: Started[]): Subject {
  let seen = 0;
  const text = (): string => processes.map((one) => one.log()).join("");
  return {
    port,
    told: (name) =>
      [
        ...text()
          .slice(seen)
          .matchAll(/^TOLD (\S+) (.*)$/gm),
      ]
        .filter(([, told]) => told === name)
        .map(([, , entry = ""]) => JSON.parse(entry) as Story[number]),
    forget: () => (seen = text().length),
    memory: () => Math.max(...processes.map(({ child }) => residentMb(child.pid ?? 0))),
    stop: async () => {
      for (const one of processes) {
        expect(one.child.exitCode).toBeNull();
        await one.stop();
      }
    },
  };
}

async function onHost(workerThreads: number): Promise<Subject> {
  const app = await startApp(fixture, { config: { workerThreads } });
  return subject(app.port, [app]);
}

/** A gateway that has no service of its own, and the service's process. */
async function behindGateway(): Promise<Subject> {
  const key = { id: 1, key: "secret" };
  const service = await startApp(fixture, { config: { hostsGateway: false, serviceKeys: [key] } });
  const baseUrl = `http://127.0.0.1:${service.port}`;
  const gateway = await (
    await prepareApp(fixture, { config: { hostedServices: [], peers: { web: { baseUrl, key } } } })
  ).start();
  return subject(gateway.port, [gateway, service]);
}

/** An answer's status and body; `cut` when the connection ended before it was whole. */
function answerTo(port: number, method: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request({ port, host: "127.0.0.1", method, path, agent: false }, (answer: IncomingMessage) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("end", () => resolve(`${answer.statusCode} ${text}`));
      answer.on("error", () => resolve("cut"));
    });
    sent.on("error", () => resolve("cut"));
    sent.end(body);
  });
}

const open = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket)).once("error", reject);
    socket.on("error", () => undefined);
  });

const reads = (socket: Socket, enough: RegExp): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    const onData = (data: Buffer): void => {
      text += data.toString("latin1");
      if (enough.test(text)) done();
    };
    const done = (): void => {
      socket.off("data", onData);
      resolve(text);
    };
    socket.on("data", onData).once("close", done);
  });

/** A client that leaves when it has seen `enough`, or at once. */
async function leave(port: number, head: string, enough?: RegExp): Promise<void> {
  const socket = await open(port);
  socket.write(head);
  if (enough) await reads(socket, enough);
  socket.destroy();
}

type Play = (subject: Subject) => Promise<unknown>;

/** What a client does, and what the last line of the handler's story is. */
const scenarios: Record<string, { play: Play; last?: string }> = {
  "to-web": { play: ({ port }) => answerTo(port, "POST", "/see/to-web", "twelve bytes") },
  finished: { play: ({ port }) => answerTo(port, "POST", "/see/finished", "twelve bytes"), last: "complete" },
  gone: { play: ({ port }) => leave(port, "GET /see/gone HTTP/1.1\r\nHost: a\r\n\r\n", /data: 1/), last: "written" },
  "gone-silent": {
    play: async (one) => {
      const socket = await open(one.port);
      socket.write("GET /see/gone-silent HTTP/1.1\r\nHost: a\r\n\r\n");
      await until(
        () => one.told("gone-silent").length > 0,
        () => "waiting",
      );
      socket.destroy();
    },
    last: "req close",
  },
  "gone-body": {
    play: async (one) => {
      const socket = await open(one.port);
      socket.write("POST /see/gone-body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
      await until(
        () => one.told("gone-body").length > 0,
        () => "got",
      );
      socket.destroy();
    },
    last: "failed",
  },
  waits: { play: async ({ port }) => (await answerTo(port, "GET", "/see/waits")).length, last: "was full" },
  ends: { play: ({ port }) => answerTo(port, "GET", "/see/ends"), last: "res close" },
  "ends-twice": { play: ({ port }) => answerTo(port, "GET", "/see/ends-twice"), last: "res close" },
  "ends-late": { play: ({ port }) => answerTo(port, "GET", "/see/ends-late"), last: "res close" },
  "writes-after-end": { play: ({ port }) => answerTo(port, "GET", "/see/writes-after-end"), last: "res close" },
  "destroys-response": { play: ({ port }) => answerTo(port, "GET", "/see/destroys-response"), last: "res close" },
  "destroys-request": { play: ({ port }) => answerTo(port, "GET", "/see/destroys-request"), last: "destroys" },
  "destroys-socket": { play: ({ port }) => answerTo(port, "GET", "/see/destroys-socket"), last: "res close" },
  "destroys-socket-unanswered": {
    play: ({ port }) => answerTo(port, "GET", "/see/destroys-socket-unanswered"),
    last: "destroys",
  },
  "resets-socket": { play: ({ port }) => answerTo(port, "GET", "/see/resets-socket"), last: "resets" },
  "destroys-socket-soon": { play: ({ port }) => answerTo(port, "GET", "/see/destroys-socket-soon"), last: "res close" },
  "head-only": { play: ({ port }) => answerTo(port, "HEAD", "/see/head-only"), last: "res close" },
  early: {
    play: async ({ port }) => {
      const socket = await open(port);
      const body = "b".repeat(300_000);
      socket.write(`POST /see/early HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      const first = await reads(socket, /too large/);
      socket.write("GET /see/ends HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      const second = await reads(socket, /$^/);
      return [first, second].map((text) => /HTTP\/1.1 \d+/.exec(text)?.[0]);
    },
  },
  expects: {
    play: async ({ port }) => {
      const socket = await open(port);
      socket.write("POST /see/to-web HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
      const first = await reads(socket, /\r\n\r\n/);
      socket.write("body");
      const second = await reads(socket, /4\n/);
      socket.destroy();
      return [first.slice(0, 21), second.slice(0, 12)];
    },
  },
  flushes: {
    play: async ({ port }) => {
      const socket = await open(port);
      socket.write("GET /see/flushes HTTP/1.1\r\nHost: a\r\n\r\n");
      const head = await reads(socket, /\r\n\r\n/);
      socket.destroy();
      return head.slice(0, 12);
    },
  },
};

const sorted = (story: Story): string[] => story.map((entry) => JSON.stringify(entry)).sort();

/** `enough` entries of the story are waited for; of node's own, which sets the measure, the last one and a moment more. */
async function storyOf(one: Subject, name: string, enough?: number): Promise<{ answer: unknown; story: string[] }> {
  const { play, last } = scenarios[name]!;
  one.forget();
  const answer = (await play(one)) ?? null;
  const told = (): Story => one.told(name);
  if (enough !== undefined) await until(() => told().length >= enough, told).catch(() => undefined);
  else if (last) await until(() => told().some(([what]) => what === last), told);
  if (enough === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
  // Events of one moment come in an order that node does not promise.
  return { answer, story: sorted(told()) };
}

const node = await nodesOwn();
const expected: Record<string, { answer: unknown; story: string[] }> = {};
beforeAll(async () => {
  for (const name of Object.keys(scenarios)) expected[name] = await storyOf(node, name);
});
afterAll(() => node.stop());

describe.each([
  ["in one process", () => onHost(1)],
  ["in worker threads", () => onHost(2)],
  ["behind a gateway in another process", behindGateway],
])("a raw handler %s", (_name, start) => {
  let host: Subject;
  beforeAll(async () => {
    host = await start();
  });
  afterAll(() => host.stop());

  test.each(Object.keys(scenarios))("sees what node shows: %s", async (name) => {
    const { answer, story } = await storyOf(host, name, expected[name]?.story.length);
    // A gateway answers in place of a service that hung up before it said anything.
    expect({ answer: answer === "502 " ? "cut" : answer, story }).toEqual(expected[name]);
  });

  test.each(Object.keys(faults))("does not end the process: %s", async (name) => {
    const answer = await answerTo(host.port, "POST", `/fault/${name}`, "some text");
    expect(answer).toMatch(/^(?:cut|502 $|500 |200 fine|400 )/);
    expect(await answerTo(host.port, "GET", "/alive")).toBe('200 {"ok":true}');
  });

  test("does not end the process by what its listeners throw when the client has left", async () => {
    host.forget();
    await leave(host.port, "GET /see/gone-throws HTTP/1.1\r\nHost: a\r\n\r\n", /data/);
    await until(
      () => host.told("gone-throws").length === 2,
      () => host.told("gone-throws"),
    );
    expect(await answerTo(host.port, "GET", "/alive")).toBe('200 {"ok":true}');
  });

  test("is held back by a reader that has stopped, and told when it leaves", async () => {
    host.forget();
    const before = host.memory();
    const socket = await open(host.port);
    socket.write("GET /see/flood HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(host.memory() - before).toBeLessThan(80);
    socket.destroy();
    await until(
      () => host.told("flood").length === 2,
      () => host.told("flood"),
    );
    expect(host.told("flood")).toEqual([
      ["pipeline", "ERR_STREAM_PREMATURE_CLOSE"],
      ["held back", true],
    ]);
  });
});
