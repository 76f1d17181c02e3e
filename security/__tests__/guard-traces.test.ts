// What a guarded request leaves in traces.
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { addSpanProcessor, withSpan } from "../../telemetry/tracing";
import { outcome, user } from "./guarding";

const caller: { current: unknown } = vi.hoisted(() => ({ current: null }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

beforeEach(() => {
  caller.current = null;
});

describe("traces", () => {
  const exporter = new InMemorySpanExporter();
  let remove: () => void;
  beforeEach(() => {
    remove = addSpanProcessor(new SimpleSpanProcessor(exporter));
  });
  afterEach(() => {
    remove();
    exporter.reset();
  });

  test("hold the request, the guard and what the handler did, with tenant and status", async () => {
    caller.current = user;
    await outcome({ tags: ["can:document.read"], handler: () => withSpan("work", {}, async () => ({})) });
    const spans = new Map(exporter.getFinishedSpans().map((span) => [span.name.split(/\d/, 1)[0], span]));
    const root = spans.get("GET test.endpoint")!;
    expect(spans.get("guard")?.parentSpanContext?.spanId).toBe(root.spanContext().spanId);
    expect(spans.get("work")?.parentSpanContext?.spanId).toBe(root.spanContext().spanId);
    expect(root.attributes).toMatchObject({
      "tenant.id": user.tenantId,
      "user.id": user.userID,
      "http.response.status_code": 200,
      "http.request.method": "GET",
    });
  });

  test("name no tenant where there is none", async () => {
    caller.current = { userID: user.userID, sessionId: "s" };
    await outcome({ tags: ["self"] });
    const [root] = exporter.getFinishedSpans().filter((span) => span.name.startsWith("GET"));
    expect(Object.keys(root!.attributes)).toContain("user.id");
    expect(Object.keys(root!.attributes)).not.toContain("tenant.id");
  });

  test("call a refusal an answer and a crash a failure", async () => {
    await outcome({ tags: ["self"] });
    await outcome({
      tags: ["public:x"],
      handler: () => {
        throw new Error("x");
      },
    });
    const roots = exporter.getFinishedSpans().filter((span) => span.name.startsWith("GET"));
    expect(roots.map((span) => [span.attributes["http.response.status_code"], span.status.code])).toEqual([
      [401, 0],
      [500, 2],
    ]);
  });

  test("have no span for probes", async () => {
    await outcome({ tags: ["public:liveness", "probe"] });
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
