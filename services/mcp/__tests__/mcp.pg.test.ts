// The MCP endpoint over HTTP, by the SDK's own client: tools by permission, each called, other organisations, limits, and what is no
// message at all.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";

const state = migratedStateDir();
let app: RunningApp;
let token: string;
let key: string;
let readingKey: string;
let strangerKey: string;

async function call<T>(method: string, path: string, body?: unknown, by = token): Promise<T> {
  const headers = { "content-type": "application/json", ...(by === "" ? {} : { authorization: `Bearer ${by}` }) };
  const sent = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (await (await fetch(`${app.baseUrl}${path}`, sent)).json()) as T;
}

async function register(organisation: string): Promise<string> {
  const person = { email: `${organisation}@example.com`, password: "a passphrase of many words", organisation };
  return (await call<{ accessToken: string }>("POST", "/auth/register", person, "")).accessToken;
}

const keyOf = async (by: string, more: object = {}): Promise<string> =>
  (await call<{ key: string }>("POST", "/auth/api-keys", { name: "mcp", ...more }, by)).key;

/** A client that went through the handshake; closed when `act` is done. */
async function withClient<T>(credentials: string, act: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ name: "test", version: "1" });
  const headers = { authorization: `Bearer ${credentials}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${app.baseUrl}/mcp`), { requestInit: { headers } }));
  try {
    return await act(client);
  } finally {
    await client.close();
  }
}

type Called = { isError?: boolean; structuredContent?: Record<string, unknown>; content: { text: string }[] };
const run = (client: Client, name: string, sent: object): Promise<Called> =>
  client.callTool({ name, arguments: { ...sent } }) as unknown as Promise<Called>;
const refusalIn = ({ isError, content }: Called): Record<string, unknown> => {
  expect(isError).toBe(true);
  return (JSON.parse(content[0]!.text) as { error: Record<string, unknown> }).error;
};

const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${app.baseUrl}/mcp`, {
    ...{ method: "POST", body },
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
  });
const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });

const TEXT = "# Handbook\n\nWelcome.\n\n## Passwords\n\nPasswords are hashed with argon2id.";

beforeAll(async () => {
  app = await startApp(state.path, { LIMIT_SCALE: "0.25", LOG_LEVEL: "error" });
  token = await register("one");
  key = await keyOf(token);
  readingKey = await keyOf(token, { permissions: ["document.read"] });
  strangerKey = await keyOf(await register("two"));
});
afterAll(async () => {
  await app?.stop();
  state.remove();
});

describe("the SDK's client", () => {
  test("lists the tools that the caller may use, and no others", async () => {
    const namesBy = (by: string) =>
      withClient(by, async (client) => (await client.listTools()).tools.map(({ name }) => name));
    expect(await namesBy(key)).toEqual(["search", "fetch", "ingest"]);
    expect(await namesBy(token)).toEqual(["search", "fetch", "ingest"]);
    expect(await namesBy(readingKey)).toEqual(["search", "fetch"]);
    expect(await namesBy(await keyOf(token, { permissions: ["ai.use"] }))).toEqual([]);
  });

  test("stores a document, finds it and reads it page by page", async () => {
    await withClient(key, async (client) => {
      // The client checks each answer by the tool's schema from here on.
      await client.listTools();
      const sent = { source: "handbook.md", text: TEXT, metadata: { team: "core" } };
      const { structuredContent: stored } = await run(client, "ingest", sent);
      const id = String(stored?.id);
      await until(
        "it is ready",
        async () => (await run(client, "fetch", { id })).structuredContent?.status === "ready",
      );
      const asked = { query: "how are passwords hashed", k: 3, metadata: { team: "core" } };
      const { structuredContent: found, content } = await run(client, "search", asked);
      expect(JSON.parse(content[0]!.text)).toEqual(found);
      // What the endpoint of the API finds, under other names.
      const query = `q=${encodeURIComponent(asked.query)}&k=3&metadata=${encodeURIComponent('{"team":"core"}')}`;
      const same = await call<{ results: Record<string, unknown>[] }>("GET", `/vectors/search?${query}`);
      const shown = ({ documentId, text: _text, ...rest }: Record<string, unknown>) => ({
        ...{ ...rest, id: documentId, url: `${app.baseUrl}/vectors/documents/${id}` },
      });
      expect(found?.results).toEqual(same.results.map(shown));
      expect((found?.results as object[])[0]).toMatchObject({
        ...{ id, title: "Handbook", source: "handbook.md", snippet: expect.stringContaining("argon2id") },
      });
      expect(await run(client, "search", { ...asked, metadata: { team: "other" } })).toMatchObject({
        structuredContent: { results: [] },
      });
      const first = await run(client, "fetch", { id, limit: 10 });
      expect(first.structuredContent).toMatchObject({ text: TEXT.slice(0, 10), next: 10, characters: TEXT.length });
      const rest = await run(client, "fetch", { id, offset: 10 });
      expect(rest.structuredContent).toMatchObject({ text: TEXT.slice(10), metadata: { team: "core" } });
      expect(rest.structuredContent).not.toHaveProperty("next");
    });
  });

  test("is told of a document of another organisation what it is told of none", async () => {
    const { id } = await call<{ id: string }>("POST", "/vectors/documents", { source: "own.md", text: "# Own" });
    const told = (sent: string) =>
      withClient(strangerKey, async (client) => {
        const { requestId: _id, ...error } = refusalIn(await run(client, "fetch", { id: sent }));
        return error;
      });
    expect(await told(id)).toMatchObject({ reason: "document_not_found", remedy: expect.any(String) });
    expect(await told(id)).toEqual(await told("0193a1c0-0000-7000-8000-000000000001"));
    const found = await withClient(strangerKey, (client) => run(client, "search", { query: "own", mode: "words" }));
    expect(found.structuredContent?.results).toEqual([]);
  });

  test("with a key that may only read is refused a tool that writes, with reason and remedy", async () => {
    const refusal = await withClient(readingKey, (client) => run(client, "ingest", { source: "x", text: "x" }));
    expect(refusalIn(refusal)).toMatchObject({ reason: "permission_denied", remedy: expect.stringContaining("role") });
    const { documents } = await call<{ documents: object[] }>("GET", "/vectors/documents?source=x");
    expect(documents).toEqual([]);
  });

  test("is told which argument is wrong, and which tool there is none of", async () => {
    await withClient(key, async (client) => {
      expect(refusalIn(await run(client, "search", { k: 0 }))).toMatchObject({
        ...{ reason: "invalid_request", fields: { query: expect.any(String), k: expect.any(String) } },
      });
      expect(refusalIn(await run(client, "ingest", { source: "y", text: "x".repeat(500_001) }))).toMatchObject({
        ...{ reason: "invalid_request", fields: { text: expect.any(String) } },
      });
      await expect(run(client, "drop", {})).rejects.toMatchObject({ code: -32_602 });
      await expect(client.listPrompts()).rejects.toMatchObject({ code: -32_601 });
    });
  });

  test("with a wrong key is refused with 401, in the form that it shows", async () => {
    const failure = await withClient("gw_nobody", (client) => client.listTools()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 401, message: expect.stringContaining("sign in to use this endpoint") });
    const answer = await post(list, { authorization: "Bearer gw_nobody" });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  });
});

describe("the endpoint", () => {
  test("has neither session nor stream, and minds no session of another server's", async () => {
    for (const method of ["GET", "DELETE"]) {
      const headers = { authorization: `Bearer ${key}`, accept: "text/event-stream" };
      const answer = await fetch(`${app.baseUrl}/mcp`, { method, headers });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    }
    const answer = await post(list, { "mcp-session-id": "of-a-process-that-ended", accept: "application/json" });
    expect([answer.status, answer.headers.get("mcp-session-id")]).toEqual([200, null]);
    const notified = await post(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }));
    expect([notified.status, await notified.text()]).toEqual([202, ""]);
  });

  test("negotiates the version, and refuses one that it does not speak", async () => {
    const initialize = (protocolVersion: string) =>
      post(
        JSON.stringify({
          ...{ jsonrpc: "2.0", id: 1, method: "initialize" },
          params: { protocolVersion, capabilities: {}, clientInfo: { name: "x", version: "1" } },
        }),
      ).then(
        async (answer) => ((await answer.json()) as { result: { protocolVersion: string } }).result.protocolVersion,
      );
    expect(await initialize("2025-06-18")).toBe("2025-06-18");
    expect(await initialize("2199-01-01")).toBe("2025-11-25");
    expect((await post(list, { "mcp-protocol-version": "2199-01-01" })).status).toBe(400);
  });

  test("refuses pages of other origins, also where the host name was bent", async () => {
    const { host, port } = new URL(app.baseUrl);
    const bent = { origin: `http://evil.example:${port}`, "x-forwarded-host": `evil.example:${port}` };
    for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, bent]) {
      const answer = await post(list, headers);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ error: { data: { reason: "cross_site_request" } } });
    }
    expect((await post(list, { origin: `http://${host}` })).status).toBe(200);
  });

  test.each([
    ["nothing", "", 400, -32_700],
    ["no JSON", "{", 400, -32_700],
    ["a list of messages", `[${list},${list}]`, 400, -32_600],
    ["no object", "null", 400, -32_600],
    ["no message", "{}", 400, -32_700],
    ["a message of another version", list.replace("2.0", "1.0"), 400, -32_700],
    ["very deep", `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`, 400, -32_600],
    ["too large", JSON.stringify({ a: "x".repeat(3 << 20) }), 413, -32_600],
  ])("refuses %s", async (_what, body, status, code) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ jsonrpc: "2.0", error: { code } });
  });

  test("refuses deep arguments of a tool before the tool sees them", async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    const params = `{"name":"ingest","arguments":{"source":"deep","text":"x","metadata":${deep}}}`;
    const answer = await post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { data: { reason: "invalid_request" } } });
  });

  test("goes on when clients leave in the midst of a message or of its answer", async () => {
    const asked = { name: "search", arguments: { query: "passwords" } };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: asked });
    const leaving = Array.from({ length: 10 }, async () => {
      const gone = new AbortController();
      const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
      const sent = fetch(`${app.baseUrl}/mcp`, { method: "POST", headers, body, signal: gone.signal });
      queueMicrotask(() => gone.abort());
      await sent.catch(() => undefined);
    });
    await Promise.all(leaving);
    expect((await post(list)).status).toBe(200);
    expect(app.output()).not.toContain("no catalogue knows");
  });

  test("counts searches by the limit that searches have", async () => {
    const limited = await keyOf(await register("three"));
    await withClient(limited, async (client) => {
      let refused: Called | undefined;
      for (let sent = 0; refused === undefined && sent < 1_000; sent += 20) {
        const asked = Array.from({ length: 20 }, () => run(client, "search", { query: "x", mode: "words" }));
        refused = (await Promise.all(asked)).find(({ isError }) => isError === true);
      }
      const refusal = refusalIn(refused!);
      expect(refusal).toMatchObject({ reason: "rate_limited", limit: { name: "search.key" } });
      expect(refusal.retryAfterSeconds).toBeGreaterThan(0);
    });
  });
});
