import { afterEach, describe, expect, test, vi } from "vitest";
import { causedBy, onBehalfOf, provenanceHeaders, provenanceOf } from "../provenance";

const now: { request: unknown; caller: unknown } = vi.hoisted(() => ({ request: undefined, caller: null }));
vi.mock("encore.dev", async (original) => ({ ...(await original<object>()), currentRequest: () => now.request }));
vi.mock("~encore/auth", () => ({ getAuthData: () => now.caller }));

const user = "0193a1c0-0000-7000-8000-000000000001";
const request = (trace: object = {}): object => ({
  type: "api-call",
  api: { service: "auth", endpoint: "maintain" },
  trace: { traceId: "t1", spanId: "s1", ...trace },
});

afterEach(() => {
  now.request = undefined;
  now.caller = null;
});

describe("what is written names", () => {
  test("the caller of the request, and the request", () => {
    now.request = request();
    now.caller = { userID: user, tenantId: user, role: "member", sessionId: "s" };
    expect(provenanceHeaders("e1")).toEqual({ actor: `user:${user}`, "correlation-id": "t1", "causation-id": "t1" });
  });

  test("the correlation id that the request came with", () => {
    now.request = request({ extCorrelationId: "order-7" });
    expect(provenanceHeaders("e1")).toMatchObject({ "correlation-id": "order-7", "causation-id": "t1" });
  });

  test("the endpoint, when nobody is signed in: a cron, a call between services", () => {
    now.request = request();
    expect(provenanceHeaders("e1").actor).toBe("system:auth.maintain");
  });

  test("whom the work is done for, where that is not the caller yet", () => {
    now.request = request();
    expect(onBehalfOf(`user:${user}`, () => provenanceHeaders("e1"))).toEqual({
      actor: `user:${user}`,
      "correlation-id": "t1",
      "causation-id": "t1",
    });
  });

  test("the event or job whose handler writes it, on behalf of who caused that, in the same story", async () => {
    const first = provenanceHeaders("e1");
    expect(first).toEqual({ actor: "system", "correlation-id": "e1" });
    const second = causedBy({ id: "e1", headers: { ...first, actor: `user:${user}` } }, () => provenanceHeaders("j2"));
    expect(second).toEqual({ actor: `user:${user}`, "correlation-id": "e1", "causation-id": "e1" });
    const third = await causedBy({ id: "j2", headers: second }, async () => {
      await Promise.resolve();
      return provenanceHeaders("e3");
    });
    expect(third).toEqual({ actor: `user:${user}`, "correlation-id": "e1", "causation-id": "j2" });
  });

  test("itself, for a message from before there were such headers", () => {
    expect(provenanceOf({ id: "e1", headers: {} })).toEqual({
      actor: "system",
      correlationId: "e1",
      causationId: "e1",
    });
  });
});
