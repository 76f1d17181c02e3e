// Access tokens at the door of the running app: another service verifies them by the published set alone, and every attack
// that the owner of a token can try is refused by the gateway.
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandsBeside } from "./support/commands-beside";
import { type RunningApp, migratedStateDir, startApp } from "./support/running-app";
import { publicAttacks } from "../../../auth/__tests__/token-attacks";
import { browserAccounts } from "./browser-accounts";
import { mailboxDoor } from "./mailbox-door";
import { staffCookie } from "./staff-cookie";

const state = migratedStateDir();
let app: RunningApp;
let accessToken: string;
let userId: string;

beforeAll(async () => {
  app = await startApp(state.path, { LIMIT_SCALE: "1000000", LOG_LEVEL: "error", AUTH_JWKS_MAX_AGE_SECONDS: "7" });
  const response = await fetch(`${app.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.com", password: "a passphrase of many words", organisation: "Ada" }),
  });
  expect(response.status).toBe(200);
  ({
    accessToken,
    user: { id: userId },
  } = (await response.json()) as { accessToken: string; user: { id: string } });
});

afterAll(async () => {
  await app?.killTree();
  state.remove();
});

const setUrl = (): URL => new URL("/.well-known/jwks.json", app.baseUrl);
const me = async (authorization: string): Promise<{ status: number; body: string }> => {
  const response = await fetch(`${app.baseUrl}/auth/me`, { headers: { authorization } });
  return { status: response.status, body: await response.text() };
};

describe("over HTTP", () => {
  test("a document's job is a task, followed to its end as server-sent events, which say when to stay away", async () => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${accessToken}` };
    const body = JSON.stringify({ source: "task.md", text: "# Followed" });
    expect((await fetch(`${app.baseUrl}/vectors/documents`, { method: "POST", headers, body })).status).toBe(200);
    const listed = (await (await fetch(`${app.baseUrl}/tasks?job=vectors:embed`, { headers })).json()) as {
      tasks: { id: string }[];
    };
    const url = `${app.baseUrl}/tasks/${listed.tasks[0]?.id}/events`;
    const stream = await fetch(url, { headers });
    expect(stream.headers.get("content-type")).toBe("text/event-stream");
    const events = (await stream.text()).split("\n\n").filter((part) => part.startsWith("event: task"));
    expect(events.at(-1)).toContain('"state":"completed"');
    const [, id = ""] = /^id: (\d+)$/m.exec(events.at(-1) ?? "") ?? [];
    expect((await fetch(url, { headers: { ...headers, "last-event-id": id } })).status).toBe(204);
    expect((await fetch(`${app.baseUrl}/tasks/none/events`, { headers })).status).toBe(404);
    expect((await fetch(url)).status).toBe(401);
  });

  test("a request that is sent again with its Idempotency-Key gets the same bytes, and makes nothing more", async () => {
    const send = async (path: string, body: unknown, key: string) => {
      const response = await fetch(`${app.baseUrl}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${accessToken}`, "idempotency-key": key },
        body: JSON.stringify(body),
      });
      const replayed = response.headers.get("idempotent-replayed");
      return {
        status: response.status,
        type: response.headers.get("content-type"),
        replayed,
        text: await response.text(),
      };
    };
    const making: [string, Record<string, unknown>][] = [
      ["/vectors/documents", { source: "again.md", text: "# Again" }],
      ["/auth/api-keys", { name: "of a script", permissions: ["document.read"] }],
      ["/auth/service-principals", { name: "robot", permissions: ["document.read"] }],
      ["/auth/roles", { name: "reader", permissions: ["document.read"] }],
      ["/auth/organisations", { name: "Another" }],
      ["/auth/invitations", { email: "eve@example.com", role: "viewer" }],
      ["/auth/domains", { domain: "again.example.com" }],
    ];
    const other = { name: "other", source: "b", email: "b@example.com", domain: "other.example.com" };
    for (const [path, body] of making) {
      const first = await send(path, body, path);
      expect(first, path).toMatchObject({ status: 200, replayed: null });
      expect(await send(path, body, path), path).toEqual({ ...first, replayed: "true" });
      // Made anew by another key, or refused for being there: in neither case the first one's answer.
      expect((await send(path, { ...body, ...other }, `${path} `)).text).not.toBe(first.text);
      const reused = await send(path, { ...body, ...other }, path);
      expect(reused.status, path).toBe(400);
      expect(JSON.parse(reused.text), path).toMatchObject({ details: { reason: "idempotency_key_reused" } });
    }
    const { text } = await send("/auth/api-keys", making[1]![1], "x".repeat(256));
    expect(JSON.parse(text)).toMatchObject({
      code: "invalid_argument",
      details: { reason: "idempotency_key_invalid" },
    });
  });

  test("an owner's export of the organisation arrives whole, and another organisation's is as if it did not exist", async () => {
    const headers = { authorization: `Bearer ${accessToken}` };
    const me = (await (await fetch(`${app.baseUrl}/auth/me`, { headers })).json()) as { organisation: { id: string } };
    const urlOf = (id: string): string => `${app.baseUrl}/auth/organisations/${id}/export`;
    const answer = await fetch(urlOf(me.organisation.id), { headers });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    expect(answer.headers.get("content-disposition")).toBe(
      `attachment; filename="organisation-${me.organisation.id}.ndjson"`,
    );
    const lines = (await answer.text()).trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ end: true, rows: lines.length - 2 });
    const foreign = await fetch(urlOf(crypto.randomUUID()), { headers });
    expect(foreign.status).toBe(404);
    expect(await foreign.json()).toMatchObject({ details: { reason: "organisation_not_found" } });
    expect((await fetch(urlOf(me.organisation.id))).status).toBe(401);
  });

  test("another service verifies a token by the set's address alone, which it may keep as long as the answer says", async () => {
    let asked = 0;
    const set = createRemoteJWKSet(setUrl(), {
      [customFetch]: (...input: Parameters<typeof fetch>) => {
        asked++;
        return fetch(...input);
      },
    });
    const rules = { issuer: "groundwork", audience: "groundwork-api", typ: "at+jwt" };
    const { payload } = await jwtVerify(accessToken, set, rules);
    expect(payload.sub).toBe(userId);
    await jwtVerify(accessToken, set, rules);
    expect(asked).toBe(1);
    const response = await fetch(setUrl());
    expect(response.headers.get("cache-control")).toBe("public, max-age=7");
    const { keys } = (await response.json()) as { keys: Record<string, string>[] };
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([
      ["alg", "crv", "kid", "kty", "use", "x"],
      ["alg", "crv", "kid", "kty", "use", "x"],
    ]);
  });

  test("a script of another origin can read how long it is to wait", async () => {
    const response = await fetch(setUrl(), { headers: { origin: "https://app.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
    const exposed = response.headers.get("access-control-expose-headers")?.split(",");
    expect(exposed).toEqual(expect.arrayContaining(["retry-after", "ratelimit", "ratelimit-policy"]));
  });

  test("every attack answers 401 in the typed form, and the token itself is still good", async () => {
    const { keys } = (await (await fetch(setUrl())).json()) as { keys: Record<string, string>[] };
    const kid = (JSON.parse(Buffer.from(accessToken.split(".")[0] ?? "", "base64url").toString()) as { kid: string })
      .kid;
    const publicJwk = keys.find((key) => key.kid === kid) ?? {};
    const attacks = await publicAttacks({ token: accessToken, publicJwk, now: new Date() });
    // A header cannot hold the others; Node's limit for all headers of a request is 16 KB (431).
    const sendable = attacks.filter(({ token }) => /^[\x20-\x7e]*$/.test(token) && token.length < 10_000);
    expect(sendable.length).toBeGreaterThan(60);
    for (const { name, token } of sendable)
      for (const authorization of [`Bearer ${token}`, token]) {
        const { status, body } = await me(authorization);
        expect(status, `${name}: ${body}`).toBe(401);
        expect(JSON.parse(body), name).toMatchObject({
          code: "unauthenticated",
          details: { reason: expect.any(String) },
        });
      }
    expect((await me(`Bearer ${accessToken}`)).status).toBe(200);
  });

  test("an operator who is made by command, beside the running app, gets in with password and code, and is out when removed", async () => {
    const { admin } = commandsBeside(state.path);
    const send = async (path: string, body: object, token?: string): Promise<Response> =>
      fetch(`${app.baseUrl}${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
      });
    const password = "a passphrase of many words";
    const printed = await admin("operator", "add", "grace@example.com");
    const setupToken = printed.split(/\s+/).find((word) => word.startsWith("gws_")) ?? "";
    const { secret } = (await (await send("/operator/setup", { setupToken, password })).json()) as { secret: string };
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    // A code counts once: the second is of the next step, which may begin meanwhile.
    const earlier = totp.generate();
    expect((await send("/operator/setup/confirm", { setupToken, code: earlier })).status).toBe(200);
    const login = { email: "grace@example.com", password, code: totp.generate({ timestamp: Date.now() + 30_000 }) };
    const { token } = (await (await send("/operator/login", login)).json()) as { token: string };
    const look = (reason: string): Promise<Response> =>
      fetch(`${app.baseUrl}/operator/organisations?email=ada@example.com`, {
        headers: { authorization: `Bearer ${token}`, "x-operator-reason": reason },
      });
    expect((await look("")).status).toBe(400);
    expect(await (await look("ticket 4711: cannot sign in")).json()).toMatchObject({
      organisations: expect.arrayContaining([expect.objectContaining({ name: "Ada" })]) as unknown,
    });
    const ownLog = await fetch(`${app.baseUrl}/auth/audit?limit=1`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(await ownLog.json()).toMatchObject({
      entries: [{ action: "operator.organisation.looked", fields: { reason: "ticket 4711: cannot sign in" } }],
    });
    expect(await admin("keys", "list")).toMatch(/^\S+ {2}EdDSA {2}signing {2}signs from \S+Z$/m);
    const masterKeys = await admin("master-keys", "list");
    expect(masterKeys).toMatch(/^([0-9a-f]{8}) {2}present {2}since \S+Z {2}tokens \d+ \(last \S+Z\)$/m);
    expect(masterKeys).toContain("          secrets of operators' authenticator apps: 1\n          signing keys: 2\n");
    await expect(admin("operator", "delete", "grace@example.com")).rejects.toMatchObject({ code: 2 });
    expect(await admin("operator", "remove", "grace@example.com")).toContain("no operator any more");
    expect((await look("ticket 4711: cannot sign in")).status).toBe(401);
  });
});

browserAccounts(() => app.baseUrl);
mailboxDoor(() => app.baseUrl);
staffCookie(
  () => app.baseUrl,
  () => commandsBeside(state.path).admin,
);
