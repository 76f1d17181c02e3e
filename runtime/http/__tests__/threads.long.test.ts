// Worker threads (contract 12.5): an app with three of them answers as one with none does, and uses all three.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type EmbeddedPostgres, startEmbedded } from "../../infra/embedded-process";
import { removeFolders, stateWithDatabase } from "../../infra/__tests__/support";
import { prepareApp, type AppProcess, type PreparedApp } from "./support/app-process";

const THREADS = 3;

let folder: string;
let ledger: string;
let postgres: EmbeddedPostgres;
let prepared: PreparedApp;
let app: AppProcess;

const entries = (): string[] => readFileSync(ledger, "utf8").split("\n").filter(Boolean);

async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const url = (path: string): string => `http://127.0.0.1:${prepared.port}${path}`;

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(url(path), init)).json()) as T;
}

/** An abandoned tick of the app's cron: whoever starts takes it up. */
async function leaveTick(): Promise<void> {
  const client = new pg.Client(postgres.url("app"));
  await client.connect();
  await client.query(`create schema if not exists groundwork;
    create table if not exists groundwork.cron_run (job text not null, tick timestamptz not null, holder text not null, lease_until timestamptz not null,
      started_at timestamptz not null default now(), finished_at timestamptz, error text, primary key (job, tick));
    insert into groundwork.cron_run (job, tick, holder, lease_until) values ('tick', now() - interval '1 hour', 'gone', now() - interval '1 hour')`);
  await client.end();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "gw-threads-"));
  ledger = join(folder, "ledger");
  writeFileSync(ledger, "");
  postgres = await startEmbedded({
    dataDir: join(await stateWithDatabase(), "postgres"),
    databases: ["app"],
    tcp: true,
  });
  await leaveTick();
  prepared = await prepareApp(join(import.meta.dirname, "../../__tests__/fixtures/threads-app"), {
    env: { LEDGER_FILE: ledger },
    config: { workerThreads: THREADS, databases: { app: { url: postgres.url("app"), maxConnections: 8 } } },
  });
  app = await prepared.start();
});

afterAll(async () => {
  await app.stop();
  prepared.remove();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
  removeFolders();
});

beforeEach(async () => {
  if (app.child.exitCode !== null) app = await prepared.start();
});

test("requests of one connection go to every thread", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const threads = new Set<unknown>();
  for (let i = 0; i < 6; i++) {
    const res = await new Promise<{ thread: number }>((resolve, reject) => {
      request(url("/where"), { agent }, (answer) => {
        let text = "";
        answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
        answer.on("end", () => resolve(JSON.parse(text) as { thread: number }));
      })
        .on("error", reject)
        .end();
    });
    threads.add(res.thread);
  }
  agent.destroy();
  expect([...threads].sort()).toEqual([1, 2, 3]);
});

test("handlers that keep their thread busy run at the same time, while the listener answers others", async () => {
  const meetings = [0, 1].map(() => json<{ met: boolean; thread: number }>("/meet/3"));
  expect((await fetch(url("/__encore/healthz"))).status).toBe(200);
  const all = await Promise.all([...meetings, json<{ met: boolean; thread: number }>("/meet/3")]);
  expect(all.map(({ met }) => met)).toEqual([true, true, true]);
  expect(new Set(all.map(({ thread }) => thread)).size).toBe(3);
});

test("calls between services are shared out as well, and carry what they always do", async () => {
  const { met, threads } = await json<{ met: boolean[]; threads: number[] }>("/fan/3");
  expect(met).toEqual([true, true, true]);
  expect(new Set(threads).size).toBe(3);
  expect(await json("/pass", { headers: { authorization: "Bearer ann" } })).toEqual({
    day: "1970-01-01T00:00:00Z",
    isDate: true,
    user: "ann",
  });
  expect(await json("/failing")).toEqual({ code: "failed_precondition", message: "not now", details: { tries: 3 } });
});

test("authentication, decoding, middleware, errors and unknown routes are those of one thread", async () => {
  const answer = await fetch(url("/whoami"), {
    method: "POST",
    headers: { authorization: "Bearer ann", "x-via": "post" },
    body: `{"text":"é"}`,
  });
  expect(answer.headers.get("x-request")).toBe("api-call");
  expect(answer.headers.get("x-encore-trace-id")).toMatch(/^[0-9a-v]{26}$/);
  expect(await answer.json()).toEqual({ user: "ann", text: "é", via: "post" });
  expect((await fetch(url("/whoami"), { method: "POST", body: "{}" })).status).toBe(401);
  expect(
    (await fetch(url("/whoami"), { method: "POST", headers: { authorization: "x" }, body: `{"text":1}` })).status,
  ).toBe(400);
  expect(await json("/fail")).toMatchObject({ code: "failed_precondition", message: "not now", details: { tries: 3 } });
  expect((await fetch(url("/hidden"), { method: "POST", body: `{"day":"2020-01-01T00:00:00Z"}` })).status).toBe(404);
  expect((await fetch(url("/nowhere"))).status).toBe(404);
  expect(
    (await fetch(url("/where"), { method: "OPTIONS", headers: { origin: "http://a" } })).headers.get(
      "access-control-allow-origin",
    ),
  ).toBe("http://a");
});

test("raw bodies stream in both directions, with the client's address; a failing one is cut off", async () => {
  const body = "0123456789".repeat(200_000);
  const answer = await fetch(url("/echo"), { method: "POST", body });
  expect([answer.status, answer.headers.get("x-from")]).toEqual([201, "127.0.0.1"]);
  expect((await answer.text()) === `${body}!`).toBe(true);
  expect(await (await fetch(url("/echo"))).text()).toBe("!");
  expect((await fetch(url("/echo"), { method: "HEAD" })).status).toBe(201);
  await expect(fetch(url("/cut")).then((half) => half.text())).rejects.toThrow();
});

test("a handler learns that its client left", async () => {
  const left = new AbortController();
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("some")) });
  const answer = await fetch(url("/wait"), { method: "POST", body, duplex: "half", signal: left.signal });
  await answer.body?.getReader().read();
  left.abort();
  await until(() => entries().includes("client left"));
});

test("files are served, in ranges too", async () => {
  expect(await (await fetch(url("/assets/hello.txt"))).text()).toBe("from disk");
  const part = await fetch(url("/assets/hello.txt"), { headers: { range: "bytes=5-" } });
  expect([part.status, await part.text()]).toEqual([206, "disk"]);
});

test("a stream stays in one thread, and streams reach all of them", async () => {
  const threads = new Set<unknown>();
  // The turn passes over a thread that still has something of an earlier test in hand.
  for (let i = 0; i < 10 * THREADS && threads.size < THREADS; i++) {
    const socket = new WebSocket(url("/chat").replace("http", "ws"));
    await once(socket, "open");
    const seen: { text: string; thread: number }[] = [];
    for (const text of ["a", "b"]) {
      socket.send(JSON.stringify({ text }));
      seen.push(JSON.parse(String((await once(socket, "message"))[0])) as { text: string; thread: number });
    }
    socket.close();
    await once(socket, "close");
    expect(seen.map(({ text }) => text)).toEqual(["A", "B"]);
    expect(seen[0]?.thread).toBe(seen[1]?.thread);
    threads.add(seen[0]?.thread);
  }
  expect(threads.size).toBe(THREADS);
  const refused = await fetch(url("/chat"));
  expect(refused.status).toBe(400);
});

test("a cache in memory is one for all threads", async () => {
  await fetch(url("/notes/1"), { method: "PUT", body: `{"text":"shared"}` });
  const seen = await Promise.all(Array.from({ length: 6 }, () => json<{ text: string; thread: number }>("/notes/1")));
  expect(seen.map(({ text }) => text)).toEqual(Array(6).fill("shared"));
  expect(new Set(seen.map(({ thread }) => thread)).size).toBe(THREADS);
});

test("the database answers in every thread", async () => {
  expect(await Promise.all(Array.from({ length: 6 }, () => json("/one")))).toEqual(Array(6).fill({ one: 1 }));
});

test("a message is handled once, two of one subscription at the same time in two threads", async () => {
  await fetch(url("/jobs/alone"), { method: "POST" });
  await until(() => entries().some((line) => line.startsWith("done alone")));
  await Promise.all([0, 1].map(() => fetch(url("/jobs/together"), { method: "POST" })));
  await until(() => entries().filter((line) => line.startsWith("done together")).length === 2);
  expect(entries().filter((line) => /^alone \d true$/.test(line))).toHaveLength(1);
  const together = entries().filter((line) => line.startsWith("done together"));
  expect(new Set(together).size).toBe(2);
});

test("a cron's tick runs once", async () => {
  await until(() => entries().some((line) => line.startsWith("tick")));
  expect(entries().filter((line) => line.startsWith("tick"))).toHaveLength(1);
});

test("log lines of several threads are whole", async () => {
  const before = app.log().length;
  await Promise.all(Array.from({ length: 6 }, () => fetch(url("/noise/40"))));
  await until(() => app.log().slice(before).split("noise").length > 240);
  const lines = app
    .log()
    .slice(before)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { message: string; thread: number });
  expect(lines.filter(({ message }) => message === "noise")).toHaveLength(240);
  expect(new Set(lines.map(({ thread }) => thread)).size).toBe(THREADS);
});

/** An upload to /echo that goes on once `proceed` is called; it began when this resolves. */
async function upload(text: string): Promise<{ proceed(): void; answer: Response; rest: Promise<string> }> {
  let proceed = (): void => undefined;
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("begun "));
      proceed = () => {
        controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      };
    },
  });
  const answer = await fetch(url("/echo"), { method: "POST", body, duplex: "half" });
  return { proceed: () => proceed(), answer, rest: answer.text() };
}

test("on SIGTERM every thread finishes what it has in hand", async () => {
  const uploads = await Promise.all(Array.from({ length: THREADS }, () => upload("finished")));
  expect(new Set(uploads.map(({ answer }) => answer.headers.get("x-thread"))).size).toBe(THREADS);
  const socket = new WebSocket(url("/chat").replace("http", "ws"));
  await once(socket, "open");
  const exit = once(app.child, "exit");
  app.child.kill("SIGTERM");
  expect((await once(socket, "close"))[0]).toBe(1001);
  for (const { proceed } of uploads) proceed();
  expect(await Promise.all(uploads.map(({ rest }) => rest))).toEqual(Array(THREADS).fill("begun finished!"));
  expect(await exit).toEqual([0, null]);
});

test.for([
  { how: "/crash", code: 1, logged: /nobody catches this.*ended by an uncaught error/ },
  { how: "/leave", code: 7, logged: /ended itself/ },
])(
  "a thread that ends by $how takes its own requests with it, and says so; the others finish theirs",
  async ({ how, code, logged }) => {
    const slow = await upload("finished");
    const exit = once(app.child, "exit");
    const lost = await fetch(url(how), { method: "POST" });
    expect(lost.status).toBe(500);
    expect(await lost.json()).toMatchObject({
      code: "internal",
      internal_message: "the worker thread that served the request ended",
    });
    await until(() => logged.test(app.log()));
    slow.proceed();
    expect(await slow.rest).toBe("begun finished!");
    expect(await exit).toEqual([code, null]);
  },
);
