import { InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-node";
import { SpanStatusCode } from "@opentelemetry/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { flags } from "../../config";
import { hexFromBase32, requestTraceFrom } from "../trace-context";
import {
  addSpanProcessor,
  continueTrace,
  formatTraceparent,
  inSpan,
  isRecording,
  parseTraceparent,
  sqlSpan,
  startRequestSpan,
  traceHeaders,
  withSpan,
} from "../tracing";
import { isSampled } from "../tracing-sdk";

const encoreTrace = { traceId: "0123456789abcdefghijklmnos", spanId: "vvvvvvvvvvvvu" };
const traceId = "00443214c74254b635cf84653a56d7c7";
const carried = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** Base32 by Encore's alphabet the slow and obvious way: bits as text. */
function encodeBase32(hex: string): string {
  const bits = [...Buffer.from(hex, "hex")].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => parseInt(group.padEnd(5, "0"), 2).toString(32)).join("");
}

describe("Encore's ids", () => {
  test("are the same bytes as OpenTelemetry's", () => {
    expect(encodeBase32(traceId)).toHaveLength(26);
    for (const hex of [
      "00000000000000000000000000000001",
      "ffffffffffffffffffffffffffffffff",
      "4bf92f3577b34da6a3ce929d0e0e4736",
    ]) {
      expect(hexFromBase32(encodeBase32(hex), 16)).toBe(hex);
    }
    expect(hexFromBase32(encodeBase32("00f067aa0ba902b7"), 8)).toBe("00f067aa0ba902b7");
  });

  test.each(["", "0123", "0123456789abcdefghijklmnoz", "0123456789ABCDEFGHIJKLMNOS", "é123456789abcdefghijklmnos"])(
    "%j is no trace id",
    (text) => {
      expect(hexFromBase32(text, 16)).toBeUndefined();
      expect(requestTraceFrom({ traceId: text, spanId: "vvvvvvvvvvvvu" })).toBeUndefined();
    },
  );
});

describe("trace context in headers", () => {
  test("is read and written as W3C says", () => {
    const parsed = parseTraceparent(carried);
    expect(parsed).toMatchObject({
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
      traceFlags: 1,
    });
    expect(formatTraceparent(parsed!)).toBe(carried);
  });

  test.each([
    undefined,
    "",
    "ff" + carried.slice(2),
    carried.toUpperCase(),
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`,
  ])("%j carries none", (value) => {
    expect(parseTraceparent(value)).toBeUndefined();
  });
});

describe("while nobody listens", () => {
  test("no span is created, and the trace id travels on all the same", () => {
    expect(startRequestSpan(encoreTrace, "GET x", {})).toBeUndefined();
    expect(traceHeaders()).toEqual({});
    continueTrace({ traceparent: carried }, "job", {}, (span) => {
      expect(span.isRecording()).toBe(false);
      expect(traceHeaders()).toEqual({ traceparent: carried });
      expect(sqlSpan("account", "select 1", () => 5)).toBe(5);
    });
  });
});

describe("while somebody listens", () => {
  const exporter = new InMemorySpanExporter();
  let remove: () => void;
  const finished = (name: string): ReadableSpan => {
    const found = exporter.getFinishedSpans().find((span) => span.name === name);
    if (found === undefined) throw new Error(`no span ${name}`);
    return found;
  };

  beforeEach(() => {
    remove = addSpanProcessor(new SimpleSpanProcessor(exporter));
  });
  afterEach(() => {
    remove();
    exporter.reset();
  });

  test("the request's span has Encore's own trace and span id", () => {
    startRequestSpan(encoreTrace, "GET x", { "http.route": "x" })?.end();
    const expected = requestTraceFrom(encoreTrace);
    expect(finished("GET x").spanContext()).toMatchObject({
      traceId: expected?.traceId,
      spanId: expected?.spanId,
      traceFlags: 1,
    });
    expect(finished("GET x").attributes).toMatchObject({ "request.id": encoreTrace.traceId, "http.route": "x" });
    expect(finished("GET x").parentSpanContext).toBeUndefined();
  });

  test("a call between services stands below the calling request's span", () => {
    startRequestSpan({ ...encoreTrace, spanId: "4444444444444", parentSpanId: encoreTrace.spanId }, "inner", {})?.end();
    expect(finished("inner").parentSpanContext?.spanId).toBe(requestTraceFrom(encoreTrace)?.spanId);
  });

  test("one trace id leads from the request over the outbox to the job's last statement", async () => {
    const request = startRequestSpan(encoreTrace, "POST documents", {})!;
    const headers = await inSpan(request, async () => {
      await Promise.resolve();
      return withSpan("outbox", { kind: "producer" }, () => traceHeaders());
    });
    request.end();
    await continueTrace(headers, "job", { attributes: { "queue.job_id": "7" } }, () =>
      sqlSpan("chunk insert", "insert into vectors.chunk values ($1)", async () => Promise.resolve()),
    );
    const names = ["POST documents", "outbox", "job", "sql chunk insert"];
    expect(new Set(names.map((name) => finished(name).spanContext().traceId)).size).toBe(1);
    expect(finished("job").parentSpanContext?.spanId).toBe(finished("outbox").spanContext().spanId);
    expect(finished("sql chunk insert").parentSpanContext?.spanId).toBe(finished("job").spanContext().spanId);
    expect(finished("sql chunk insert").attributes).toEqual({
      "db.system": "postgresql",
      "db.operation.name": "chunk insert",
      "db.statement": "insert into vectors.chunk values ($1)",
    });
  });

  test("a statement's span carries as much as the flag of whose work it is", async () => {
    const acme = "0190f2b0-0000-7000-8000-000000000001";
    const globex = "0190f2b0-0000-7000-8000-000000000002";
    const remove = flags.overrideForOrganisations((tenantId) => (tenantId === acme ? "names" : "off"));
    const request = startRequestSpan(encoreTrace, "GET x", {})!;
    await inSpan(request, async () => {
      for (const tenantId of [acme, globex, undefined])
        await sqlSpan(`of ${tenantId}`, "select 1", () => Promise.resolve(), tenantId);
    });
    request.end();
    remove();
    expect(finished(`sql of ${acme}`).attributes).toEqual({
      "db.system": "postgresql",
      "db.operation.name": `of ${acme}`,
    });
    expect(() => finished(`sql of ${globex}`)).toThrow();
    expect(finished("sql of undefined").attributes["db.statement"]).toBe("select 1");
  });

  test("a trace that its beginner did not sample stays unrecorded", () => {
    continueTrace({ traceparent: carried.replace(/01$/, "00") }, "job", {}, (span) => {
      expect(span.isRecording()).toBe(false);
      expect(isRecording()).toBe(false);
      withSpan("inner", {}, () => undefined);
    });
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  test("work without a usable trace context begins a trace of its own", () => {
    continueTrace({ traceparent: "garbage" }, "job", { log: { tenantId: "t", jobId: "7" } }, () => undefined);
    continueTrace({}, "tick", {}, () => undefined);
    expect(finished("job").attributes).toEqual({ "tenant.id": "t", "queue.job_id": "7" });
    expect([finished("job").parentSpanContext, finished("tick").parentSpanContext]).toEqual([undefined, undefined]);
    expect(finished("job").spanContext().traceId).not.toBe(finished("tick").spanContext().traceId);
  });

  test("a span ends when its promise settles, failed when it rejects", async () => {
    const failing = continueTrace({}, "failing", {}, async () => Promise.reject(new TypeError("no such row")));
    await expect(failing).rejects.toThrow("no such row");
    expect(() =>
      continueTrace({}, "throwing", {}, () => {
        throw new RangeError("too far");
      }),
    ).toThrow("too far");
    expect(finished("failing").status).toEqual({ code: SpanStatusCode.ERROR, message: "no such row" });
    expect(finished("failing").attributes["error.type"]).toBe("TypeError");
    expect(finished("throwing").attributes["error.type"]).toBe("RangeError");
    const others: [unknown, string][] = [
      ["no answer", "no answer"],
      [new Error("postgres://app:hunter2@db/app is away"), "postgres://[redacted]@db/app is away"],
    ];
    for (const [thrown, message] of others) {
      await expect(continueTrace({}, message, {}, () => Promise.reject(thrown as Error))).rejects.toBe(thrown);
      expect(finished(message).status).toEqual({ code: SpanStatusCode.ERROR, message });
    }
  });

  test("requests at the same time keep their traces apart", async () => {
    const ids = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        continueTrace({}, `work ${i}`, {}, async (span) => {
          await new Promise((resolve) => setImmediate(resolve));
          return { own: span.spanContext().traceId, seen: parseTraceparent(traceHeaders().traceparent)?.traceId };
        }),
      ),
    );
    expect(ids.every(({ own, seen }) => own === seen)).toBe(true);
    expect(new Set(ids.map(({ own }) => own)).size).toBe(50);
  });
});

describe("sampling by ratio", () => {
  test("decides by the id alone, so every process decides alike", () => {
    const ids = Array.from({ length: 4000 }, (_, i) =>
      ((BigInt(i) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn).toString(16).padStart(32, "0"),
    );
    const share = ids.filter((id) => isSampled(id, 0.05)).length / ids.length;
    expect(share).toBeGreaterThan(0.03);
    expect(share).toBeLessThan(0.07);
    expect(ids.filter((id) => isSampled(id, 0))).toEqual([]);
    expect(ids.every((id) => isSampled(id, 1))).toBe(true);
    expect(ids.filter((id) => isSampled(id, 0.05)).every((id) => isSampled(id, 0.5))).toBe(true);
  });
});
