import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { flags } from "../../config";
import { docsPageHeaders } from "../../security/headers";
import { reasonOf } from "../../security/errors";
import { docs, docsAsset, health, live, livez, metrics, ready, readyz, root } from "../api";
import { metricsDoor } from "../../security/metrics-access";
import { registerProbe } from "../probes";

type Handler = (req: IncomingMessage, resp: ServerResponse) => unknown;

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** Calls a raw endpoint's handler and collects what it wrote. */
async function get(handler: Handler, url = "/", headers: Record<string, string> = {}): Promise<Answer> {
  const answer: Answer = { status: 0, headers: {}, body: "" };
  const resp = {
    statusCode: 0,
    setHeader: (name: string, value: unknown) => void (answer.headers[name] = value),
    end: (body: string | Buffer) => void (answer.body = String(body)),
  };
  await handler({ url, headers } as unknown as IncomingMessage, resp as unknown as ServerResponse);
  return { ...answer, status: resp.statusCode };
}

const refusal = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => "nothing",
    (error: unknown) => reasonOf(error),
  );

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
  vi.restoreAllMocks();
});

describe("probes", () => {
  test.each<[string, Handler]>([
    ["livez", livez],
    ["live", live],
  ])("%s answers while the process does, whatever else fails", async (_name, handler) => {
    undo.push(registerProbe("db", () => Promise.reject(new Error("away"))));
    expect(await get(handler)).toMatchObject({
      status: 200,
      body: '{"status":"ok"}',
      headers: { "cache-control": "no-store" },
    });
  });

  test.each<[string, Handler]>([
    ["readyz", readyz],
    ["ready", ready],
    ["health", health],
  ])("%s names the failing parts, and nothing else about them", async (_name, handler) => {
    undo.push(
      registerProbe("db", async () => {}),
      registerProbe("redis", () => Promise.reject(new Error("connect ECONNREFUSED 10.0.0.5:6379"))),
    );
    const { status, body } = await get(handler);
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ status: "unavailable", checks: { db: "ok", redis: "failed" } });
    expect(body).not.toContain("10.0.0.5");
  });

  test("readyz is 200 when every part works", async () => {
    undo.push(registerProbe("db", async () => {}));
    expect(await get(readyz)).toMatchObject({ status: 200 });
    undo.push(registerProbe("shared", () => Promise.reject(new Error("away")), { isVital: false }));
    const { status, body } = await get(readyz);
    expect([status, JSON.parse(body)]).toMatchObject([
      200,
      { status: "ready", checks: { db: "ok", shared: "failed" } },
    ]);
  });
});

describe("metrics", () => {
  test("are Prometheus text for direct callers from our own networks, in development", async () => {
    for (const headers of [{}, { "x-forwarded-for": "127.0.0.1" }] as Record<string, string>[]) {
      const answer = await get(metrics, "/metrics", headers);
      expect(answer).toMatchObject({
        status: 200,
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
      expect(answer.body).toContain("# TYPE process_resident_memory_bytes gauge");
    }
  });

  test.each<Record<string, string>>([
    { "x-forwarded-for": "8.8.8.8" },
    { "x-forwarded-for": "127.0.0.1, 8.8.8.8" },
    { "x-forwarded-for": "2001:db8::1" },
    // A proxy with a private address in front: everybody would come from it.
    { "x-forwarded-for": "8.8.8.8, 10.2.3.4" },
    { "x-forwarded-for": "10.2.3.4", forwarded: "for=8.8.8.8" },
    { "x-forwarded-for": "unknown" },
  ])("are not for the rest of the world, whatever it claims to be (%j)", async (headers) => {
    expect(await refusal(get(metrics, "/metrics", headers))).toBe("metrics_forbidden");
  });

  describe("in production", () => {
    const token = "a-token-of-some-length";
    const near = { "x-forwarded-for": "10.2.3.4" };
    const closed = metricsDoor({ allow: ["10.0.0.0/8"], isProduction: true });
    const open = metricsDoor({ allow: ["10.0.0.0/8"], isProduction: true, token });

    test("are closed without a token", () => {
      expect([closed({}), closed(near), closed({ ...near, authorization: "Bearer " })]).toEqual([false, false, false]);
    });

    test("need the whole token, also from our own networks, and from there only", () => {
      for (const authorization of [
        "",
        "Bearer",
        "Bearer ",
        `Bearer ${token}x`,
        `Bearer ${token.slice(0, -1)}`,
        "Basic x",
      ])
        expect(open({ ...near, authorization }), authorization).toBe(false);
      expect(open({ "x-forwarded-for": "8.8.8.8", authorization: `Bearer ${token}` })).toBe(false);
      expect(open({ ...near, authorization: `Bearer ${token}` })).toBe(true);
      expect(open({ "x-forwarded-for": "8.8.8.8, 10.2.3.4", authorization: `Bearer ${token}` })).toBe(true);
    });
  });
});

describe("documentation", () => {
  test("is a page with a policy of its own, and the API's description", async () => {
    const page = await get(docs, "/docs");
    expect(page).toMatchObject({
      status: 200,
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": docsPageHeaders["content-security-policy"],
      },
    });
    const description = JSON.parse((await get(docsAsset, "/docs/openapi.json?cache=no")).body) as {
      openapi: string;
      paths: object;
    };
    expect(description.openapi).toMatch(/^3\./);
    expect(Object.keys(description.paths)).toContain("/readyz");
  });

  test("keeps the viewer's files for a day", async () => {
    expect((await get(docsAsset, "/docs/swagger-ui.css")).headers["cache-control"]).toBe("public, max-age=86400");
  });

  test.each(["/docs/../package.json", "/docs/nothing.js", "/docs/index.html"])("has no %s", async (url) => {
    expect(await refusal(get(docsAsset, url))).toBe("docs_not_found");
  });

  test("can be switched off", async () => {
    undo.push(flags.overrideRemotely((name) => (name === "docsPage" ? false : undefined)));
    expect(await refusal(get(docs, "/docs"))).toBe("docs_not_found");
    expect(await refusal(get(docsAsset, "/docs/openapi.json"))).toBe("docs_not_found");
  });
});

describe("the root", () => {
  test("leads a browser to the documentation, and tells everybody else where it is", async () => {
    const browser = await get(root, "/", { accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
    expect(browser).toMatchObject({ status: 302, headers: { location: "/docs", vary: "accept" } });
    for (const accept of ["*/*", "application/json", ""]) {
      const answer = await get(root, "/", { accept });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toEqual({
        name: "groundwork",
        documentation: "/docs",
        description: "/docs/openapi.json",
        readiness: "/readyz",
      });
    }
  });

  test("leads nobody to documentation that is switched off", async () => {
    vi.spyOn(flags, "isOn").mockReturnValue(false);
    const answer = await get(root, "/", { accept: "text/html" });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { name: "groundwork", readiness: "/readyz" }]);
  });
});
