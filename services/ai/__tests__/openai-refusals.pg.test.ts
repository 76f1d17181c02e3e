// What the stock client of the OpenAI protocol shows of every refusal, over HTTP: message, type, param, code and status, and whether
// it repeats by itself. The provider is the server of provider-server.ts.
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migratedStateDir, startApp, type RunningApp } from "../../../runtime/__tests__/whole-app/support/running-app";
import { ANSWER, startProviderServer, type ProviderServer } from "./provider-server";

const state = migratedStateDir();
let server: ProviderServer;
let app: RunningApp;
let token: string;
let key: string;

async function call<T>(method: string, path: string, body?: unknown, by = token): Promise<T> {
  const headers = { "content-type": "application/json", ...(by === "" ? {} : { authorization: `Bearer ${by}` }) };
  const sent = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (await (await fetch(`${app.baseUrl}${path}`, sent)).json()) as T;
}

const clientOf = (apiKey: string, more: object = {}): OpenAI =>
  new OpenAI({ baseURL: `${app.baseUrl}/ai/v1`, apiKey, maxRetries: 0, ...more });

const messages = [{ role: "user" as const, content: "Which port?" }];
const asked = { model: "only-openai", messages, max_tokens: 50 };

/** What a request failed with. */
async function failureOf(request: Promise<unknown>): Promise<APIError> {
  const failure = await request.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(APIError);
  return failure as APIError;
}

const ask = (body: object, client = clientOf(key)): Promise<APIError> =>
  failureOf(client.chat.completions.create({ ...asked, ...body }));

beforeAll(async () => {
  server = await startProviderServer();
  app = await startApp(state.path, {
    AI_PROVIDERS: JSON.stringify(
      server.providers(["openai"]).map((provider) => ({
        ...provider,
        models: provider.models.map(({ name }) => ({ name, inputPrice: 1, outputPrice: 1 })),
      })),
    ),
    AiProviderKeys: "openai=key-of-the-installation",
    LIMIT_SCALE: "1",
  });
  const person = { email: "refused@example.com", password: "a passphrase of many words", organisation: "AI" };
  ({ accessToken: token } = await call<{ accessToken: string }>("POST", "/auth/register", person, ""));
  ({ key } = await call<{ key: string }>("POST", "/auth/api-keys", { name: "ai" }));
});
afterAll(async () => {
  await app?.stop();
  await server?.stop();
  state.remove();
});
beforeEach(() => {
  server.does.openai = [ANSWER];
  server.seen.length = 0;
});

test("of who is not known: 401, by whichever credentials and on every route", async () => {
  const shown = { status: 401, type: "authentication_error", code: "unauthenticated", param: null };
  for (const credentials of ["gw_nobody", `gw_${"a".repeat(43)}`, "a.b.c"]) {
    const stranger = clientOf(credentials);
    const failure = await failureOf(stranger.models.list());
    expect(failure).toMatchObject(shown);
    expect(failure.message).toContain("401 no valid API key");
    expect(failure.requestID).toMatch(/^[\w-]{10,}$/);
  }
  const nobody = clientOf("none", { defaultHeaders: { authorization: null } });
  expect(await failureOf(nobody.models.list())).toMatchObject(shown);
  expect(await failureOf(nobody.embeddings.create({ model: "m", input: "x" }))).toMatchObject(shown);
  expect(await ask({}, nobody)).toMatchObject(shown);
});

test("of a key that may not: 403", async () => {
  const scoped = { name: "reads", permissions: ["document.read"] };
  const { key: reading } = await call<{ key: string }>("POST", "/auth/api-keys", scoped);
  const failure = await ask({}, clientOf(reading));
  expect(failure).toMatchObject({ status: 403, type: "permission_error", code: "permission_denied" });
  expect(failure.message).toBe("403 your role does not allow this");
});

test("of a request that is wrong: 400 and the field, 413 when it is too large", async () => {
  const image = [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://x.example" } }] }];
  const wrong = { status: 400, type: "invalid_request_error", code: "invalid_request" };
  const failure = await ask({ messages: image });
  expect(failure).toMatchObject({ ...wrong, param: "messages.0.content" });
  expect(failure.message).toContain("messages.0.content: is neither a text nor parts of text");
  expect(await ask({ n: 2 })).toMatchObject({ ...wrong, param: "n" });
  const huge = [{ role: "user", content: "x".repeat(600_000) }];
  const tooLarge = await ask({ messages: huge });
  expect(tooLarge).toMatchObject({ ...wrong, status: 413, param: null });
  expect(tooLarge.message).toContain("the body is larger than 524288 bytes");
  const headers = { authorization: `Bearer ${key}` };
  const sent = { method: "POST", headers, body: "{" };
  const unreadable = await fetch(`${app.baseUrl}/ai/v1/chat/completions`, sent);
  expect(unreadable.status).toBe(400);
  expect(await unreadable.json()).toEqual({
    error: {
      ...{ type: "invalid_request_error", param: null, code: "invalid_request" },
      message: "the request is not valid (the body is no JSON)",
    },
  });
  expect(server.seen).toEqual([]);
});

test("of a model that nobody has: 404", async () => {
  expect(await ask({ model: "none" })).toMatchObject({ status: 404, code: "model_not_found" });
});

test("of providers: as they failed, and told not to repeat what may have been paid", async () => {
  server.does.openai = [{ does: "refuse", status: 503, headers: { "retry-after": "30" } }];
  const away = await ask({});
  expect(away).toMatchObject({ status: 503, type: "service_unavailable_error", code: "providers_unavailable" });
  expect(away.message).toBe("503 no model provider answered");
  expect([away.headers?.get("x-should-retry"), away.headers?.get("retry-after")]).toEqual([null, "30"]);
  server.does.openai = [{ does: "refuse", status: 400 }];
  expect(await ask({})).toMatchObject({ status: 400, code: "request_refused" });
  server.seen.length = 0;
  server.does.openai = [{ does: "cut", parts: ["The port"] }];
  const cut = await ask({}, clientOf(key, { maxRetries: 2 }));
  expect(cut).toMatchObject({ status: 503, code: "providers_unavailable" });
  expect(cut.headers?.get("x-should-retry")).toBe("false");
  expect(server.seen).toHaveLength(1);
});

test("of a stream that breaks after its begin: the error, behind what came", async () => {
  server.does.openai = [{ does: "cut", parts: ["The port"] }];
  const stream = await clientOf(key).chat.completions.create({ ...asked, stream: true });
  let text = "";
  const failure = await failureOf(
    (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    })(),
  );
  expect(text).toBe("The port");
  expect(failure).toMatchObject({ type: "server_error", code: "providers_unavailable", param: null });
  expect(failure.message).toBe("no model provider answered");
});

test("of a budget that is used up: 429, and the client that repeats by itself does not wait for tomorrow", async () => {
  await call("PUT", "/ai/budgets/all", { period: "day", limitMicroUsd: 0 });
  const failure = await ask({}, clientOf(key, { maxRetries: 2 }));
  expect(failure).toMatchObject({ status: 429, type: "insufficient_quota", code: "budget_exhausted" });
  expect(failure.message).toContain("(budget all)");
  expect(failure.headers?.get("x-should-retry")).toBe("false");
  expect(Number(failure.headers?.get("retry-after"))).toBeGreaterThanOrEqual(0);
  expect(server.seen).toEqual([]);
}, 30_000);

test("of who asks too often: 429 and when to come again", async () => {
  const stranger = clientOf("gw_nobody");
  let failure = await failureOf(stranger.models.list());
  for (let sent = 0; failure.status === 401 && sent < 100; sent++) {
    failure = await failureOf(stranger.chat.completions.create(asked));
  }
  expect(failure).toMatchObject({ status: 429, type: "rate_limit_error", code: "rate_limited" });
  expect(failure.message).toBe("429 too many requests");
  expect(Number(failure.headers?.get("retry-after"))).toBeGreaterThan(0);
  expect(failure.headers?.get("ratelimit")).toMatch(/^"ai\.anonymousIp";r=0;t=\d+$/);
});

test("elsewhere the house's own form stays", async () => {
  expect(await call("POST", "/ai/generate", {}, key)).toMatchObject({
    ...{ code: "invalid_argument", message: "the request is not valid", details: { reason: "invalid_request" } },
  });
});
