// Part of every-endpoint.pg.test.ts, whose app it shares. Which security headers an answer has is said in a table of
// security/README.md: every exposed endpoint of the app's model is asked, by somebody who is signed in, and answers what
// its row says, or where it refuses what every error has. Of the rows that name endpoints one at least succeeds.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { describe, expect, inject, test } from "vitest";
import type { AppModel, EndpointModel } from "../../model";

interface Surface {
  /** `service.endpoint`; empty: all others. */
  endpoints: string[];
  headers: Record<string, string>;
}

const readme = readFileSync(new URL("../../../security/README.md", import.meta.url), "utf8");

function surfacesOf(text: string): Surface[] {
  const section = /## Headers\n([\s\S]*?)\n## /.exec(text)?.[1] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| ") && line.includes("`"));
  const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, words = ""]) => words);
  const named = rows.map((row) => row.split(" | ")).map(([, endpoints, headers]) => [endpoints, headers] as const);
  const api: Record<string, string> = {};
  return named.map(([endpoints, cell]) => {
    const own = Object.fromEntries(
      quoted(cell).map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
    );
    if (cell?.includes("as the API") !== true) Object.assign(api, own);
    return { endpoints: quoted(endpoints), headers: { ...api, ...own } };
  });
}

const fits = (value: string | null, wanted: string): boolean => {
  const [before = "", after] = wanted.split("*");
  return after === undefined ? value === wanted : value?.startsWith(before) === true && value.endsWith(after);
};

/** What is not as it should be, a line each. */
const complaints = (what: string, answer: Response, headers: Record<string, string>): string[] =>
  Object.entries(headers)
    .filter(([name, wanted]) => !fits(answer.headers.get(name), wanted))
    .map(([name, wanted]) => `${what} (${answer.status}): ${name} is ${answer.headers.get(name)}, not ${wanted}`);

/** fetch refuses this method. */
const trace = (url: URL, secret: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method: "TRACE", headers: { "x-secret": secret } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text })).on("error", reject);
    });
    sent.on("error", reject).end();
  });

export function securityHeaders(baseUrl: () => string): void {
  const register = async (): Promise<string> => {
    const response = await fetch(`${baseUrl()}/auth/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        email: `${crypto.randomUUID()}@example.com`,
        password: "a passphrase of many words",
        organisation: "Headers",
      }),
    });
    return ((await response.json()) as { accessToken: string }).accessToken;
  };
  const surfaces = surfacesOf(readme);
  const [api] = surfaces;
  const surfaceOf = (name: string): Surface =>
    surfaces.find(({ endpoints }) => endpoints.includes(name)) ?? (api as Surface);
  const model = JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel;
  const exposed = model.services.flatMap(({ endpoints }) => endpoints.filter(({ expose }) => expose));
  const nameOf = ({ service, name }: EndpointModel): string => `${service}.${name}`;
  const pathOf = ({ path }: EndpointModel, value: string): string =>
    `/${path.map((part) => (part.kind === "literal" ? part.value : value)).join("/")}`;
  const ask = (path: string, method: string, token: string, body: object = {}): Promise<Response> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return fetch(`${baseUrl()}${path}`, {
      ...{ method, headers, redirect: "manual" },
      ...(["GET", "HEAD"].includes(method) ? {} : { body: JSON.stringify(body) }),
    });
  };

  describe("security headers", () => {
    test("of every exposed endpoint's answer are those of its surface, and of a refusal those of the API", async () => {
      expect(surfaces.length).toBeGreaterThan(4);
      expect(Object.keys(api?.headers ?? {}).length).toBeGreaterThan(6);
      const known = new Set(exposed.map(nameOf));
      expect(surfaces.flatMap(({ endpoints }) => endpoints).filter((name) => !known.has(name))).toEqual([]);
      // A handshake is no answer: what a stream needs is held by the suites of streams.
      const asked = exposed.filter(({ protocol }) => !protocol.startsWith("stream"));
      expect(asked.length).toBeGreaterThan(90);
      const token = await register();
      const wrong: string[] = [];
      const succeeded = new Set<string>();
      const isEnd = ({ name }: EndpointModel): number => Number(/^(logout|deleteAccount)$/.test(name));
      for (const endpoint of asked.sort((a, b) => isEnd(a) - isEnd(b)))
        for (const method of endpoint.methods) {
          const answer = await ask(pathOf(endpoint, "x"), method, token);
          await answer.body?.cancel();
          const surface = answer.status < 400 ? surfaceOf(nameOf(endpoint)) : (api as Surface);
          if (answer.status < 400) succeeded.add(nameOf(endpoint));
          wrong.push(...complaints(`${method} ${nameOf(endpoint)}`, answer, surface.headers));
        }
      for (const path of ["/nothing-here", "/auth/login"])
        wrong.push(...complaints(path, await ask(path, "GET", "x"), api?.headers ?? {}));
      expect(wrong).toEqual([]);
      // What the guard and the handlers set, not the edge alone.
      expect(succeeded.size).toBeGreaterThan(30);
    });

    test("are the answers of no TRACE, which nothing handles", async () => {
      for (const path of ["/auth/me", "/docs", "/nothing-here"]) {
        const answer = await trace(new URL(path, baseUrl()), "a-secret-of-the-request");
        expect(answer.status, path).toBe(404);
        expect(answer.text, path).not.toContain("a-secret-of-the-request");
      }
    });

    test("of pages, downloads and event streams are their own when they succeed", async () => {
      const token = await register();
      const answerOf = async (path: string, body?: object): Promise<unknown> => {
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
        const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
        return (await fetch(`${baseUrl()}${path}`, { headers, ...sent })).json();
      };
      const { organisation } = (await answerOf("/auth/me")) as { organisation: { id: string } };
      await answerOf("/vectors/documents", { source: "headers.md", text: "# Headers" });
      const { tasks } = (await answerOf("/tasks?job=vectors:embed")) as { tasks: { id: string }[] };
      const name = "a page.html";
      const asset = await fetch(`${baseUrl()}/assets?name=${encodeURIComponent(name)}`, {
        ...{ method: "POST", headers: { authorization: `Bearer ${token}` }, body: "<script>alert(1)</script>" },
      });
      const { id: assetId } = (await asset.json()) as { id: string };
      const messages = [{ role: "user", content: "Say something." }];
      const model = "m";
      const paths: Record<string, string> = {
        "auth.jwks": "/.well-known/jwks.json",
        "telemetry.docs": "/docs",
        "telemetry.docsAsset": "/docs/init.js",
        "console.page": "/console",
        "console.pageAsset": "/console/index.html",
        "mail.mailbox": "/mail",
        "audit.exportLog": "/auth/audit/export",
        "auth.exportOrganisation": `/auth/organisations/${organisation.id}/export`,
        "records.exportAccounts": "/api/v1/accounts/export",
        "records.exportBudgets": "/api/v1/budgets/export",
        "records.exportCategories": "/api/v1/categories/export",
        "records.exportOrders": "/api/v1/orders/export",
        "records.exportProducts": "/api/v1/products/export",
        "records.exportTransactions": "/api/v1/transactions/export",
        "queues.followTaskEvents": `/tasks/${tasks[0]?.id}/events`,
        "notifications.stream": "/notifications/stream",
        "assets.getContent": `/assets/${assetId}/content`,
        "ai.generate": "/ai/generate",
        "ai.chatCompletions": "/ai/v1/chat/completions",
      };
      expect(Object.keys(paths).sort()).toEqual(surfaces.flatMap(({ endpoints }) => endpoints).sort());
      for (const [name, path] of Object.entries(paths)) {
        const answer = name.startsWith("ai.")
          ? await ask(path, "POST", token, { messages, model, stream: true })
          : await ask(path, "GET", token);
        await answer.body?.cancel();
        expect(answer.status, name).toBe(200);
        expect(complaints(name, answer, surfaceOf(name).headers)).toEqual([]);
      }
      // By cookie, public, and somebody's own.
      const accounts = await fetch(`${baseUrl()}/auth/accounts`);
      expect(accounts.headers.get("cache-control")).toBe("no-store");
    });
  });
}
