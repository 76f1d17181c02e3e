// One app in three processes (contract 2.5, 12.3): a gateway alone, the gateway with one service, and the other service by
// itself. Built and configured as in production.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { buildApp } from "../../commands/build";
import { hostPackageRoot } from "../../host-files";
import { sign } from "../service-auth";
import { firstAnswer } from "./support/app-process";
import { freePort } from "./support/free-port";

const KEY = "a key that all processes share";
const scope = { appId: "split", environment: "test" };

let base: string;
let folder: string;
let ports: { alone: number; orders: number; stock: number };
const children: ChildProcess[] = [];
let orders: ChildProcess;

interface Part {
  services: string[];
  gateways: string[];
  port: number;
  env?: Record<string, string>;
  extra?: object;
}

async function start(name: string, { services, gateways, port, env = {}, extra = {} }: Part): Promise<ChildProcess> {
  const file = join(base, `${name}.json`);
  const discovery = {
    orders: { base_url: `http://127.0.0.1:${ports.orders}` },
    stock: { base_url: `http://127.0.0.1:${ports.stock}` },
  };
  writeFileSync(
    file,
    JSON.stringify({
      metadata: { app_id: scope.appId, env_name: scope.environment, env_type: "production", cloud: "local" },
      hosted_services: services,
      hosted_gateways: gateways,
      auth: [{ type: "key", id: 3, key: { $env: "SERVICE_KEY" } }],
      service_discovery: discovery,
      ...extra,
    }),
  );
  const child = spawn(process.execPath, [join(folder, "host/start.js"), "--port", String(port)], {
    cwd: base,
    env: {
      PATH: process.env.PATH ?? "",
      HOST: "127.0.0.1",
      ENCORE_INFRA_CONFIG_PATH: file,
      SERVICE_KEY: KEY,
      ENCORE_RUNTIME_LOG: "error",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  await firstAnswer(child, port, () => text);
  return child;
}

const startStock = (extra?: object): Promise<ChildProcess> =>
  start("stock", { services: ["stock"], gateways: [], port: ports.stock, ...(extra ? { extra } : {}) });

async function end(child: ChildProcess): Promise<unknown> {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  return (await exit)[0];
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "gw-split-"));
  const sources = join(base, "sources");
  cpSync(join(import.meta.dirname, "../../__tests__/fixtures/split-app"), sources, { recursive: true });
  symlinkSync(join(hostPackageRoot, "node_modules"), join(sources, "node_modules"));
  folder = await buildApp(sources, join(base, "built"));
  symlinkSync(join(hostPackageRoot, "node_modules"), join(folder, "node_modules"));
  ports = { alone: await freePort(), orders: await freePort(), stock: await freePort() };
  await startStock();
  orders = await start("orders", { services: ["orders"], gateways: ["api-gateway"], port: ports.orders });
  await start("alone", { services: [], gateways: ["api-gateway"], port: ports.alone });
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true });
});

const at = (where: keyof typeof ports, path: string): string => `http://127.0.0.1:${ports[where]}${path}`;

async function answer<T = Record<string, unknown>>(
  where: keyof typeof ports,
  path: string,
  init?: RequestInit,
): Promise<T> {
  const response = await fetch(at(where, path), init);
  const body = (await response.json()) as { json?: string };
  if (!response.ok || body.json === undefined) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  return JSON.parse(body.json) as T;
}

const ann = { authorization: "Bearer ann" };
const post = { method: "POST", headers: ann };
const gateways = ["orders", "alone"] as const;

test.for(gateways)("a call takes data, caller and trace to the other process and back (%s)", async (where) => {
  const reserved = await answer<{ seen: string; own: { traceId: string; spanId: string }; pid: number }>(
    where,
    "/orders/a%2Fb%20c",
    post,
  );
  expect(reserved).toMatchObject({
    id: "a/b c",
    day: "1970-01-02T00:00:00.000Z",
    isDate: true,
    note: "ä/€ ?&",
    tags: ["a", "b"],
    via: "stock",
    hosted: ["orders"],
  });
  const seen = JSON.parse(reserved.seen) as { user: object; since: boolean; trace: object; pid: number };
  expect(seen).toMatchObject({
    user: { userID: "ann", name: "Ünï ann" },
    since: true,
    trace: { traceId: reserved.own.traceId, parentSpanId: reserved.own.spanId },
  });
  expect(seen.pid).not.toBe(reserved.pid);
  expect(await answer(where, "/as-other", post)).toEqual({
    userID: "other",
    name: "O",
    since: "1970-01-01T00:00:01.000Z",
  });
});

test("errors arrive with code, message and details, and what is internal stays inside", async () => {
  expect(await answer("orders", "/failing/known", post)).toEqual({
    code: "resource_exhausted",
    message: "sold out",
    details: { left: 0, next: { at: "noon" } },
    name: "APIError",
  });
  expect(await answer("orders", "/failing/unknown", post)).toMatchObject({
    code: "internal",
    message: "an internal error occurred",
  });
});

test("the called service calls back, through the gateway of the other process, what is not exposed", async () => {
  expect(await answer("orders", "/echo-notes/7", { headers: ann })).toMatchObject({ id: "7", user: "ann" });
});

test("streams run between processes, and are refused with the same words as within one", async () => {
  expect(await answer("orders", "/talk", post)).toEqual([
    { text: "one since 1970-01-01T00:00:00.000Z" },
    { text: "two since 1970-01-01T00:00:00.000Z" },
  ]);
  expect(await answer("orders", "/refused-talk", { method: "POST" })).toMatch(
    /failed connecting to websocket endpoint.*HTTP error: 401 Unauthorized/,
  );
});

test.for(gateways)(
  "a gateway passes on requests of clients with their address, and adds its own headers once (%s)",
  async (where) => {
    const response = await fetch(at(where, "/items/x?size=7"), {
      headers: {
        ...ann,
        "x-forwarded-for": "10.0.0.9",
        "x-encore-meta-userid": "eve",
        traceparent: "00-11111111111111111111111111111111-2222222222222222-01",
        origin: "https://shop",
      },
    });
    const item = (await response.json()) as { headers: string };
    expect(item).toMatchObject({ id: "x", size: 7, user: "ann" });
    const headers = JSON.parse(item.headers) as Record<string, string>;
    expect(headers).toMatchObject({
      "x-forwarded-for": "10.0.0.9, 127.0.0.1",
      "x-forwarded-host": `127.0.0.1:${ports[where]}`,
      "x-forwarded-proto": "http",
    });
    expect(headers.traceparent).not.toMatch(/1111/);
    expect(Object.keys(headers).filter((name) => name.startsWith("x-encore-"))).toEqual([]);
    expect(response.headers.get("x-encore-trace-id")).toMatch(/^[0-9a-v]{26}$/);
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    expect(response.headers.get("x-served-by")).toMatch(/^\d+$/);
  },
);

test("every kind of endpoint is reached through the gateway", async () => {
  const body = "0123456789".repeat(100_000);
  const raw = await fetch(at("alone", "/raw/deep/down?q=1"), { method: "POST", body, headers: { "x-own": "ä" } });
  const text = await raw.text();
  expect([raw.status, raw.headers.get("x-target"), raw.headers.getSetCookie()]).toEqual([
    207,
    "/raw/deep/down?q=1",
    ["a=1", "b=2"],
  ]);
  expect(text.startsWith(`${body}|POST|`)).toBe(true);
  expect((await fetch(at("alone", "/raw/x"), { method: "HEAD" })).headers.get("x-target")).toBe("/raw/x");
  const part = await fetch(at("alone", "/assets/hello.txt"), { headers: { range: "bytes=5-" } });
  expect([part.status, await part.text()]).toEqual([206, "stock"]);
  expect(await answer("alone", "/guarded", { ...post, body: `{"text":"é"}` })).toMatchObject({
    text: "é",
    user: { userID: "ann" },
  });
  expect((await fetch(at("alone", "/guarded"), { method: "POST", body: `{"text":"é"}` })).status).toBe(401);
  expect((await fetch(at("alone", "/guarded"), { ...post, body: `{"text":1}` })).status).toBe(400);
  expect((await fetch(at("alone", "/items"))).status).toBe(404);
});

test("an answer that does not wait for a large body leaves the client's connection fit for the next request", async () => {
  const body = JSON.stringify({ text: "x".repeat(5_000_000) });
  for (let i = 0; i < 20; i++) {
    const large = await fetch(at("alone", "/guarded"), { ...post, body });
    expect([large.status, await large.text()]).toEqual([400, expect.stringContaining("length limit exceeded")]);
    expect((await fetch(at("alone", "/items/x"))).status).toBe(200);
  }
});

test("a client's stream passes the gateway; one that is refused is an answer", async () => {
  const socket = new WebSocket(at("alone", "/feed?room=r").replace("http", "ws"), { headers: ann });
  const [upgrade] = (await once(socket, "upgrade")) as [{ headers: Record<string, string> }];
  expect(upgrade.headers["x-encore-trace-id"]).toMatch(/^[0-9a-v]{26}$/);
  if (socket.readyState !== WebSocket.OPEN) await once(socket, "open");
  socket.send(`{"text":"hi"}`);
  expect(JSON.parse(String((await once(socket, "message"))[0]))).toEqual({ text: "r: hi", user: "ann" });
  socket.close();
  await once(socket, "close");
  const refused = new WebSocket(at("alone", "/feed").replace("http", "ws"), { headers: ann });
  expect(String((await once(refused, "error"))[0])).toMatch(/400/);
});

/** A call of a private endpoint as another process would make it; `change` is what an attacker does to it. */
async function forged(
  where: keyof typeof ports,
  change: (lines: string[]) => string[],
  key = { id: 3, key: KEY },
): Promise<Response> {
  const lines = [
    "x-encore-meta-version",
    "1",
    "x-encore-meta-userid",
    "ann",
    "x-encore-meta-authdata",
    `{"userID":"ann","name":"","since":"1970-01-01T00:00:00Z"}`,
    "x-encore-meta-caller",
    "api:orders.order",
  ];
  const sent = change([...lines, ...sign(lines, key, scope, Date.now())]);
  return fetch(at(where, "/mine"), {
    headers: Array.from({ length: sent.length / 2 }, (_, i): [string, string] => [
      sent[2 * i] ?? "",
      sent[2 * i + 1] ?? "",
    ]),
  });
}

const without = (part: string) => (lines: string[]) => lines.filter((_, i) => !lines[i - (i % 2)]?.includes(part));

test("a service believes only what is signed, as it was signed", async () => {
  const problem = async (response: Response): Promise<unknown> => [
    response.status,
    ((await response.json()) as { message: string }).message,
  ];
  const mismatch = [
    400,
    "unable to parse request: invalid service authentication data\n\nCaused by:\n    signature mismatch",
  ];
  expect((await forged("stock", (lines) => lines)).status).toBe(200);
  expect(await problem(await forged("stock", (lines) => lines.map((text) => text.replace(`"ann"`, `"eve"`))))).toEqual(
    mismatch,
  );
  expect(await problem(await forged("stock", (lines) => lines.map((text) => (text === "ann" ? "eve" : text))))).toEqual(
    mismatch,
  );
  expect(await problem(await forged("stock", (lines) => lines, { id: 3, key: "guessed" }))).toEqual(mismatch);
  expect(await problem(await forged("stock", (lines) => lines, { id: 4, key: KEY }))).toEqual([
    400,
    expect.stringContaining("unknown key"),
  ]);
  expect(await problem(await forged("stock", without("svc-auth")))).toEqual([
    400,
    "unable to parse request: unknown service auth method",
  ]);
  expect(
    await problem(await forged("stock", (lines) => lines.map((text) => (text === "encore-auth" ? "noop" : text)))),
  ).toEqual([400, "unable to parse request: unknown service auth method"]);
});

test("who is nobody's process reaches nothing that is not exposed, at the service or at a gateway", async () => {
  for (const where of ["stock", "alone", "orders"] as const) {
    expect((await fetch(at(where, "/mine"))).status, where).toBe(where === "stock" ? 404 : 401);
    expect((await fetch(at(where, "/mine"), { headers: ann })).status, where).toBe(404);
    const noted = await fetch(at(where, "/notes/1"), { method: "PUT", headers: { "x-encore-meta-userid": "eve" } });
    expect(noted.status, where).toBe(404);
  }
  expect((await forged("orders", without("svc-auth"))).status).toBe(401);
  expect((await fetch(at("stock", "/guarded"), { method: "POST", body: `{"text":""}`, headers: ann })).status).toBe(
    401,
  );
});

test("a stream that its caller does not read fills the memory of neither process, and is complete when it does", async () => {
  const memoryMb = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${orders.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  const before = memoryMb();
  const poured = async (): Promise<number> => (await answer<{ count: number }>("orders", "/hold", post)).count;
  while ((await poured()) < 60);
  expect(memoryMb() - before).toBeLessThan(45);
  expect(await answer("orders", "/drink", post)).toEqual({ count: 60 });
});

test("a process that is away is `unavailable` to callers and 502 to clients, until it is back", async () => {
  const [stock] = children;
  if (!stock) throw new Error("no process");
  const socket = new WebSocket(at("alone", "/feed?room=r").replace("http", "ws"));
  await once(socket, "open");
  const closed = once(socket, "close");
  expect(await end(stock)).toBe(0);
  await closed;
  expect(await answer("orders", "/failing/known", post)).toMatchObject({
    code: "unavailable",
    message: "service stock is unavailable",
  });
  expect(await answer("orders", "/refused-talk", post)).toMatch(/failed connecting to websocket endpoint/);
  const response = await fetch(at("alone", "/items/x"));
  expect([response.status, await response.text()]).toEqual([502, ""]);
  const back = await startStock({ worker_threads: 2 });
  expect(await answer("orders", "/failing/known", post)).toMatchObject({ code: "resource_exhausted" });
  expect((await fetch(at("alone", "/items/x"))).status).toBe(200);
  expect(await answer("orders", "/talk", post)).toHaveLength(2);
  expect(await end(back)).toBe(0);
});

test("ENCORE_PROCESS_CONFIG says what is hosted and where the rest is, before the infra config", async () => {
  const port = await freePort();
  const config = { hosted_services: ["stock"], hosted_gateways: [], local_service_ports: { orders: ports.orders } };
  ports.stock = port;
  await start("by-process-config", {
    services: ["orders"],
    gateways: ["api-gateway"],
    port,
    env: { ENCORE_PROCESS_CONFIG: Buffer.from(JSON.stringify(config)).toString("base64") },
    extra: { service_discovery: {} },
  });
  expect((await fetch(at("stock", "/items/x"))).status).toBe(200);
  expect((await fetch(at("stock", "/orders/x"), { method: "POST" })).status).toBe(404);
  const lines = ["x-encore-meta-caller", "app:test"];
  const signed = [...lines, ...sign(lines, { id: 3, key: KEY }, scope, Date.now())];
  const called = await fetch(at("stock", "/call-back"), {
    method: "POST",
    body: `{"id":"9"}`,
    headers: Object.fromEntries(
      Array.from({ length: signed.length / 2 }, (_, i) => [signed[2 * i] ?? "", signed[2 * i + 1] ?? ""]),
    ),
  });
  expect(await called.text()).toMatch(/"id\\+":\\+"9/);
});
