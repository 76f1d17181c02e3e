import { z } from "zod";
import type { APIError } from "encore.dev/api";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { renderPrometheus } from "../../telemetry/metrics";
import { workInFlight } from "../../telemetry/shutdown";
import { databaseClock } from "../database-clock";
import { internalsOf } from "../errors";
import { apiHeaders, cacheableHeaders } from "../headers";
import { parseInput } from "../input";
import { Limits, limits } from "../limits";
import { can, permissions, permissionsOf, roles } from "../permissions";
import { guard, internalOf, outcome, request, user, type Call } from "./guarding";

const caller: { current: unknown } = vi.hoisted(() => ({ current: null }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

const kept = await vi.hoisted(async () => (await import("./kept-lines")).keepLines());
const logged = (): unknown[] => kept.lines.map((line): unknown => JSON.parse(line));
afterAll(kept.stop);

beforeEach(() => {
  caller.current = null;
  kept.lines.length = 0;
});
afterEach(() => vi.restoreAllMocks());

describe("who is let in", () => {
  const cells = roles.flatMap((role) => permissions.map((permission) => ({ role, permission })));

  test.each(cells)("a $role at an endpoint that asks for $permission", async ({ role, permission }) => {
    caller.current = { ...user, role };
    expect(await outcome({ tags: [`can:${permission}`] })).toBe(
      can({ permissions: permissionsOf(role) }, permission) ? "ok" : "permission_denied",
    );
  });

  test.each([["can:document.read"], ["self"], ["caller"]])("nobody who is not signed in, at %s", async (tag) => {
    expect(await outcome({ tags: [tag] })).toBe("unauthenticated");
  });

  test("whoever acts in the organisation that their page shows, and nobody who acts in another", async () => {
    const shown = (id: string, tags = ["self"]): Call => ({
      tags,
      method: "POST",
      headers: { "x-organisation-id": id },
    });
    const { tenantId = "", ...inNone } = user;
    const other = "0193a1c0-0000-7000-8000-0000000000bb";
    for (const tags of [["self"], ["caller"], ["can:document.write"]]) {
      caller.current = user;
      for (const id of [tenantId, tenantId.toUpperCase()]) expect(await outcome(shown(id, tags)), id).toBe("ok");
      for (const id of [other, "", "x", `${tenantId}, ${tenantId}`])
        expect(await outcome(shown(id, tags)), id).toBe("organisation_mismatch");
      expect(await outcome({ tags, headers: { "x-organisation-id": [tenantId, other] as never } })).toBe(
        "organisation_mismatch",
      );
    }
    // Before it is asked whether they may: what they are told is where they are, not what they lack there.
    caller.current = { ...user, role: "viewer" };
    expect(await outcome(shown(other, ["can:document.write"]))).toBe("organisation_mismatch");
    const { role: _role, ...person } = inNone;
    caller.current = person;
    expect(await outcome(shown(""))).toBe("ok");
    expect(await outcome(shown(tenantId))).toBe("organisation_mismatch");
    // What is done in nobody's name has no organisation.
    expect(await outcome(shown(tenantId, ["public:test"]))).toBe("ok");
    caller.current = null;
    expect(await outcome(shown(tenantId))).toBe("unauthenticated");
  });

  test("at a fresh endpoint a person who has shown who they are within ten minutes, and no key", async () => {
    const fresh = { tags: ["can:document.read", "fresh"] };
    const ago = (seconds: number): string => String(Math.floor(Date.now() / 1000) - seconds);
    caller.current = { ...user, authTime: ago(590) };
    expect(await outcome(fresh)).toBe("ok");
    for (const authTime of [ago(610), "", "soon", undefined]) {
      caller.current = authTime === undefined ? user : { ...user, authTime };
      expect(await outcome(fresh), String(authTime)).toBe("step_up_required");
      expect(await outcome({ tags: ["self"] })).toBe("ok");
    }
    // It was set by the database's clock: one that is behind here makes nobody fresh for longer.
    vi.spyOn(databaseClock, "nowMs").mockImplementation(() => Date.now() + 60_000);
    caller.current = { ...user, authTime: ago(590) };
    expect(await outcome(fresh)).toBe("step_up_required");
    vi.restoreAllMocks();
    const { userID, tenantId } = user;
    caller.current = { userID, tenantId, kind: "key", scope: "document.read", authTime: ago(0) };
    expect(await outcome(fresh)).toBe("permission_denied");
    caller.current = { ...user, role: "viewer", authTime: ago(610) };
    // Who may not anyhow is not sent to show who they are.
    expect(await outcome({ tags: ["can:document.write", "fresh"] })).toBe("permission_denied");
  });

  test("at own-proof who has shown something of their account's own, before being asked to show it again", async () => {
    const own = { tags: ["self", "own-proof"] };
    for (const amr of ["pwd", "oidc", "pwd sso", "sso otp mfa", "mail"]) {
      caller.current = { ...user, amr };
      expect(await outcome(own), amr).toBe("ok");
    }
    for (const amr of ["sso", "", " ", undefined]) {
      caller.current = amr === undefined ? user : { ...user, amr };
      expect(await outcome(own), String(amr)).toBe("own_proof_required");
      expect(await outcome({ tags: ["self", "own-proof", "fresh"] })).toBe("own_proof_required");
    }
    caller.current = { ...user, amr: "pwd" };
    expect(await outcome({ tags: ["self", "own-proof", "fresh"] })).toBe("step_up_required");
  });

  test("anybody at a public endpoint; anybody signed in at self", async () => {
    expect(await outcome({ tags: ["public:sign-in"] })).toBe("ok");
    caller.current = { ...user, role: "viewer" };
    expect(await outcome({ tags: ["self"] })).toBe("ok");
    expect(await outcome({ tags: ["public:sign-in"] })).toBe("ok");
  });

  test("nobody at an endpoint without a usable tag, not even the owner", async () => {
    caller.current = { ...user, role: "owner" };
    for (const tags of [[], ["idempotent"], ["can:nothing.known"], ["self", "public:both"]])
      expect(await outcome({ tags })).toBe("endpoint_closed");
  });

  test.each([
    ["a role that does not exist", { role: "root" }],
    ["a tenant that is no UUID", { tenantId: "' or true --" }],
    ["a tenant that is empty", { tenantId: "" }],
    ["a role and no tenant", { tenantId: undefined }],
    ["neither role nor scope", { role: undefined }],
    ["both role and scope", { scope: "document.read" }],
  ])("nobody whose identity has %s", async (_what, wrong) => {
    caller.current = { ...user, ...wrong };
    expect(await outcome({ tags: ["self"] })).toBe("unauthenticated");
  });

  const homeless = { userID: user.userID, sessionId: "s" };
  const key = { userID: user.userID, tenantId: user.tenantId, kind: "key", scope: "document.read document.burn" };

  test("who has chosen no organisation, at what is theirs and nowhere else", async () => {
    caller.current = homeless;
    for (const tag of ["self", "caller", "public:sign-in"]) expect(await outcome({ tags: [tag] })).toBe("ok");
    expect(await outcome({ tags: ["can:document.read"] })).toBe("no_organisation");
  });

  test("a key, for the permissions of its scope, and never for what is a person's own", async () => {
    caller.current = key;
    for (const tag of ["can:document.read", "caller"]) expect(await outcome({ tags: [tag] })).toBe("ok");
    for (const tag of ["can:document.write", "self"]) expect(await outcome({ tags: [tag] })).toBe("permission_denied");
  });

  test("nobody whose cookie another site sends along", async () => {
    caller.current = user;
    const headers = { "sec-fetch-site": "cross-site", cookie: "session=x" };
    for (const method of ["POST", "GET", "HEAD"])
      expect(await outcome({ tags: ["self"], method, headers }), method).toBe("cross_site_request");
    expect(await outcome({ tags: ["public:page"], method: "POST", headers })).toBe("cross_site_request");
    expect(await outcome({ tags: ["public:page"], headers })).toBe("ok");
    expect(await outcome({ tags: ["self"], method: "POST", headers: { ...headers, authorization: "Bearer x" } })).toBe(
      "ok",
    );
  });

  test("and of a refusal only we are told what was lacking", async () => {
    caller.current = { ...user, role: "viewer" };
    const { route, response } = request({ tags: ["can:document.write"] });
    const lacking = `user:${user.userID} lacks document.write`;
    expect(await response.catch((error: unknown) => internalsOf(error)?.internal)).toBe(lacking);
    expect(await internalOf({ tags: ["public:"] })).toBe("public: without a reason");
    caller.current = key;
    expect(await internalOf({ tags: ["self"] })).toBe("a key is no person");
    expect(await internalOf({ tags: ["can:document.read", "fresh"] })).toBe("fresh: is for people");
    expect(logged()).toMatchObject([
      {
        level: "warn",
        message: "permission denied",
        endpoint: route,
        permission: "document.write",
        actor: `user:${user.userID}`,
      },
      {
        level: "error",
        message: "an exposed endpoint is closed because of its tags",
        problem: "public: without a reason",
      },
    ]);
  });

  test("a stream that is refused is closed, also one that its other side has closed", async () => {
    const close = vi.fn();
    expect(await outcome({ tags: ["self"], method: "", stream: { close } })).toBe("unauthenticated");
    close.mockImplementationOnce(() => {
      throw new Error("is closed");
    });
    expect(await outcome({ tags: ["self"], method: "", stream: { close } })).toBe("unauthenticated");
    expect(close).toHaveBeenCalledTimes(2);
    expect(await outcome({ tags: ["public:x"], method: "", stream: { close } })).toBe("ok");
    expect(close).toHaveBeenCalledTimes(2);
    expect(await outcome({ tags: ["self"], method: "", stream: {} })).toBe("unauthenticated");
  });

  test("a handler that is refused never runs", async () => {
    const handler = vi.fn();
    await outcome({ tags: ["can:document.write"], handler });
    await outcome({ tags: [], handler });
    expect(handler).not.toHaveBeenCalled();
  });

  test("calls between services need no tag, and are not limited", async () => {
    const consume = vi.spyOn(limits, "consumeCaller");
    expect(await outcome({ tags: [] }, guard[1])).toBe("ok");
    expect(consume).not.toHaveBeenCalled();
  });
});

describe("limits", () => {
  test("count the address of anonymous callers, and who known ones are too, by what the endpoint costs", async () => {
    const consume = vi.spyOn(limits, "consumeCaller");
    const headers = { "x-forwarded-for": "203.0.113.77" };
    const ip = "203.0.113.77";
    await outcome({ tags: ["public:x", "limit:auth"], headers });
    expect(consume.mock.lastCall).toEqual(["auth", { ip }, 1]);
    caller.current = user;
    await outcome({ tags: ["self", "cost:7"], headers });
    expect(consume.mock.lastCall).toEqual(["default", { ip, user: user.userID, tenant: user.tenantId }, 7]);
    const { userID, tenantId } = user;
    caller.current = { userID, tenantId, kind: "key", scope: "document.read" };
    await outcome({ tags: ["can:document.read"], headers });
    expect(consume.mock.lastCall).toEqual(["default", { ip, key: userID, tenant: tenantId }, 1]);
  });

  test("count all strangers of streams together, whose address nobody knows, and who is known by who they are", async () => {
    const consume = vi.spyOn(limits, "consumeCaller");
    const headers = { "x-forwarded-for": "203.0.113.77" };
    await outcome({ tags: ["public:x"], method: "", headers });
    expect(consume.mock.lastCall).toEqual(["default", { ip: "unknown" }, 1]);
    caller.current = user;
    await outcome({ tags: ["self"], method: "", headers });
    expect(consume.mock.lastCall?.[1]).toEqual({ ip: undefined, user: user.userID, tenant: user.tenantId });
  });

  test("answer 429 with the limit and the seconds to wait, count the refusal, and come before permissions", async () => {
    caller.current = { ...user, role: "viewer" };
    const strict = new Limits({ scale: 0.0001 });
    vi.spyOn(limits, "consumeCaller").mockImplementation((policy, { user: id }) =>
      strict.consumeCaller(policy, { user: id }),
    );
    const call: Call = { tags: ["can:document.delete", "limit:search"] };
    expect(await outcome(call)).toBe("permission_denied");
    const error = await request(call).response.catch((thrown: unknown) => thrown as APIError);
    expect(error).toMatchObject({
      code: "resource_exhausted",
      details: {
        reason: "rate_limited",
        retryAfterSeconds: expect.any(Number),
        limit: { name: "search.user", quota: 1, windowSeconds: 60 },
      },
    });
    const text = await renderPrometheus();
    expect(text).toContain('limit_rejections_total{policy="search",dimension="user"} 1');
    expect(text).toMatch(/errors_total\{type="rate_limited"\} \d+/);
  });

  // ASVS 5.0 16.3.3.
  test("and other controls leave a line for who tries to get around them, with who and what", async () => {
    caller.current = { ...user, role: "viewer" };
    const strict = new Limits({ scale: 0.0001 });
    vi.spyOn(limits, "consumeCaller").mockImplementation((policy, { user: id }) =>
      strict.consumeCaller(policy, { user: id }),
    );
    const told = async (call: Call, times = 1): Promise<unknown[]> => {
      kept.lines.length = 0;
      for (let n = 0; n < times; n++) await outcome(call);
      return logged();
    };
    const actor = `user:${user.userID}`;
    const burn = { tags: ["can:document.delete", "limit:export"] };
    expect(await told(burn)).toMatchObject([{ message: "permission denied", permission: "document.delete", actor }]);
    expect(await told(burn, 3)).toMatchObject([{ message: "a limit refuses requests", limit: "export.user" }]);
    const foreign = { cookie: "a=b", "sec-fetch-site": "cross-site" };
    const handler = (): unknown => parseInput(z.object({ n: z.int() }), { n: "' or 1=1 --" });
    vi.restoreAllMocks();
    for (const [call, reason] of [
      [{ tags: ["self"], method: "POST", headers: foreign }, "cross_site_request"],
      [{ tags: ["self"], method: "POST", handler }, "invalid_request"],
    ] as const)
      expect(await told({ ...call, tags: [...call.tags] })).toMatchObject([{ message: "request", reason }]);
  });

  test("that are nearly used up are told in the answer, of raw endpoints too, whether counting waits or not", async () => {
    const standing = {
      name: "default.user",
      quota: { algorithm: "token-bucket", points: 10, windowSeconds: 60 },
      left: 1,
    } as const;
    const told = { "ratelimit-policy": '"default.user";q=10;w=60', ratelimit: '"default.user";r=1;t=54' };
    for (const answer of [standing, Promise.resolve(standing)]) {
      vi.spyOn(limits, "consumeCaller").mockReturnValue(answer);
      const { response } = request({ tags: ["public:x"] });
      expect((await response).__internalToResponse().extraHeaders).toMatchObject(told);
      const page = request({ tags: ["public:x"], raw: true });
      await page.response;
      expect(page.rawHeaders).toMatchObject(told);
    }
  });

  test("leave probes alone", async () => {
    const consume = vi.spyOn(limits, "consumeCaller");
    await outcome({ tags: ["public:liveness", "probe"], headers: { "x-forwarded-for": "203.0.113.78" } });
    expect(consume).not.toHaveBeenCalled();
  });
});

describe("answers", () => {
  test("carry the security headers, and no cache keeps them but those of public endpoints tagged cacheable", async () => {
    caller.current = user;
    const headers = async (call: Call): Promise<unknown> =>
      (await request(call).response).__internalToResponse().extraHeaders;
    expect(apiHeaders["cache-control"]).toBe("no-store");
    expect(await headers({ tags: ["self"] })).toEqual(apiHeaders);
    // A public read may be by a cookie, and answer somebody's own.
    expect(await headers({ tags: ["public:cookies are the credential"] })).toEqual(apiHeaders);
    expect(await headers({ tags: ["public:sign-in"], method: "POST" })).toEqual(apiHeaders);
    expect(await headers({ tags: ["public:keys", "cacheable"] })).toEqual(cacheableHeaders);
    for (const tags of [["self"], ["caller"], ["can:document.read"]])
      expect(await outcome({ tags: [...tags, "cacheable"] })).toBe("endpoint_closed");
  });

  test("of raw endpoints carry them too, set before the handler so that it may replace them", async () => {
    const { rawHeaders, response } = request({ tags: ["public:page"], raw: true });
    expect((await response).__internalToResponse().extraHeaders ?? {}).toEqual({});
    expect(rawHeaders).toEqual(apiHeaders);
    caller.current = user;
    const own = request({ tags: ["self"], raw: true, rawStatus: 418 });
    await own.response;
    expect(own.rawHeaders).toEqual(apiHeaders);
    expect(await renderPrometheus()).toContain(`http_requests_total{method="GET",route="${own.route}",status="418"} 1`);
  });

  test("keep what the handler says itself", async () => {
    caller.current = user;
    const answerHeaders = { "cache-control": "max-age=60", "x-own": "1" };
    const answer = (await request({ tags: ["self"], answerHeaders }).response).__internalToResponse();
    expect(answer.extraHeaders).toEqual({ ...apiHeaders, ...answerHeaders });
  });

  test("of what writes leave a line, those of reads do not", async () => {
    let nowMs = 1_000;
    vi.spyOn(performance, "now").mockImplementation(() => nowMs);
    const handler = (): object => ({ tookMs: (nowMs += 250) });
    for (const method of ["GET", "HEAD"]) await outcome({ tags: ["public:x"], method, handler });
    expect(logged()).toEqual([]);
    const { route, response } = request({ tags: ["public:x"], method: "POST", handler });
    await response;
    expect(logged()).toMatchObject([
      { level: "debug", component: "guard", message: "request", method: "POST", route, status: 200, durationMs: 250 },
    ]);
    expect(await renderPrometheus()).toContain(
      `http_request_duration_seconds_sum{method="POST",route="${route}"} 0.25`,
    );
  });

  test("are errors of a catalogue whatever the handler threw, counted by their reason", async () => {
    const thrown = request({
      tags: ["public:x"],
      handler: () => {
        throw new Error("password=hunter2");
      },
    });
    const error = await thrown.response.catch((caught: unknown) => caught as APIError);
    expect(error).toMatchObject({ code: "internal", details: { reason: "internal_error" } });
    expect(JSON.stringify(error)).not.toContain("hunter2");
    expect(await renderPrometheus()).toContain(
      `http_requests_total{method="GET",route="${thrown.route}",status="500"} 1`,
    );
  });

  test("are counted and timed by route and status", async () => {
    const { route, response } = request({ tags: ["public:x"], method: "POST" });
    await response;
    const text = await renderPrometheus();
    expect(text).toContain(`http_requests_total{method="POST",route="${route}",status="200"} 1`);
    expect(text).toContain(`http_request_duration_seconds_count{method="POST",route="${route}"} 1`);
  });

  test("leave nothing in flight, refused or not", async () => {
    await outcome({ tags: ["public:x"] });
    await outcome({ tags: [] });
    await outcome({ tags: ["public:x"], handler: () => Promise.reject(new Error("x")) });
    expect(workInFlight()).toBe(0);
  });
});
