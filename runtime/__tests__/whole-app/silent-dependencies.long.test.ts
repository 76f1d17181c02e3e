// A collector of traces and a mail server that accept connections and never answer: nothing else stops, not even the end.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migratedStateDir, startApp, until, type RunningApp } from "./support/running-app";

/** As many mails at once as there are workers for them, and some that wait. */
const PEOPLE = 7;

interface Silent {
  url: string;
  /** Connections that somebody holds open. */
  open: Set<Socket>;
  close(): void;
}

async function startSilent(protocol: string): Promise<Silent> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket
      .on("error", () => undefined)
      .on("close", () => open.delete(socket))
      .resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open,
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

const state = migratedStateDir();
let collector: Silent;
let mailServer: Silent;
let app: RunningApp;

beforeAll(async () => {
  [collector, mailServer] = await Promise.all([startSilent("http"), startSilent("smtp")]);
  app = await startApp(state.path, {
    LIMIT_SCALE: "1000",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER_ARG: "1",
    MAIL_URL: mailServer.url,
    MAIL_FROM: "Groundwork <mail@example.com>",
  });
}, 200_000);

afterAll(async () => {
  await app?.killTree();
  collector?.close();
  mailServer?.close();
  state.remove();
});

async function ask(method: string, path: string, body?: object, token?: string): Promise<Record<string, unknown>> {
  const response = await fetch(app.baseUrl + path, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body),
  });
  expect(response.status, path).toBeLessThan(300);
  return (await response.json()) as Record<string, unknown>;
}

test("requests, other jobs and readiness go on, and the process ends in order", async () => {
  const tokens: string[] = [];
  for (let i = 0; i < PEOPLE; i++) {
    const person = { email: `p${i}@example.com`, password: "a passphrase of somebody", organisation: "Silent" };
    tokens.push(String((await ask("POST", "/auth/register", person)).accessToken));
  }
  await until("both hang", () => mailServer.open.size > 0 && collector.open.size > 0);

  const { id } = await ask("POST", "/vectors/documents", { source: "tea.md", text: "# Tea\n\nGreen tea." }, tokens[0]);
  await until(
    "a job beside the mails is done",
    async () => {
      const { status } = await ask("GET", `/vectors/documents/${String(id)}`, undefined, tokens[0]);
      return status !== "pending";
    },
    90_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${app.output()}`);
  });
  expect(await ask("GET", "/readyz")).toMatchObject({ status: "ready" });
  expect(await ask("GET", "/auth/me", undefined, tokens[1])).toMatchObject({ user: { email: "p1@example.com" } });

  expect(mailServer.open.size + collector.open.size).toBeGreaterThan(0);
  expect(await app.stop()).toBe(0);
  expect(app.output()).not.toMatch(/unhandled|uncaught/i);
}, 200_000);
