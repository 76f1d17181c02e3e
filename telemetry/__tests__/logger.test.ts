import { describe, expect, test, vi } from "vitest";
import { errorText } from "../error-text";
import { withLogFields } from "../log-context";
import { createLogger, logBug } from "../logger";
import { redactFields, redactText } from "../redaction";
import { base32FromHex, hexFromBase32 } from "../trace-context";
import { continueTrace } from "../tracing";

function capture(): {
  lines: () => Record<string, unknown>[];
  text: () => string;
  log: ReturnType<typeof createLogger>;
} {
  const written: string[] = [];
  const log = createLogger({ write: (line: string) => void written.push(line) }, "debug");
  return {
    log,
    text: () => written.join(""),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl";

describe("a log line", () => {
  test("is one JSON object with time, level, service and message", () => {
    const { log, lines } = capture();
    log.child({ component: "relay" }).info({ rows: 3 }, "published");
    expect(lines()).toEqual([
      {
        level: "info",
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        service: "groundwork",
        component: "relay",
        rows: 3,
        message: "published",
      },
    ]);
  });

  test("carries the trace and the tenant of the work it belongs to", () => {
    const { log, lines } = capture();
    continueTrace(
      { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" },
      "job",
      { log: { tenantId: "t-1", jobId: "j-1" } },
      () => withLogFields({ requestId: "r-1" }, () => log.warn("late")),
    );
    log.warn("outside");
    expect(lines()[0]).toMatchObject({
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
      tenantId: "t-1",
      jobId: "j-1",
      requestId: "r-1",
    });
    expect(lines()[1]).not.toHaveProperty("traceId");
  });

  test("of continued work carries the id of the request that began it, as the answer's header shows it", () => {
    const { log, lines } = capture();
    const headers = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" };
    continueTrace(headers, "consume a.b.c", {}, () => log.info("handled"));
    expect(lines()[0]?.requestId).toBe(base32FromHex("4bf92f3577b34da6a3ce929d0e0e4736"));
    expect(hexFromBase32(String(lines()[0]?.requestId), 16)).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
  });

  test("tells an error with its whole chain of causes", () => {
    const { log, lines } = capture();
    log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");
    expect(lines()[0]?.err).toMatchObject({ type: "Error", message: "outer", cause: { message: "inner" } });
  });

  test("repeats no row of an error that another library's connection got from Postgres, as a cause neither", () => {
    const rows = { detail: "Key (email)=(ann@example.com)", where: "ann@example.com", hint: "ann@example.com" };
    const error = Object.assign(new Error("duplicate key"), { severity: "ERROR", code: "23505", ...rows });
    const { log, lines, text } = capture();
    log.error({ err: error }, "failed");
    log.error({ err: new Error("a", { cause: new Error("b", { cause: error }) }) }, "failed");
    expect(text()).not.toContain("ann@example.com");
    expect(lines()[0]?.err).toMatchObject({ message: "duplicate key", code: "23505" });
    expect(lines()[1]?.err).toMatchObject({ cause: { cause: { message: "duplicate key", code: "23505" } } });
    log.error({ err: Object.assign(new Error("no row"), { detail: "of ours" }) }, "failed");
    expect(lines()[2]?.err).toMatchObject({ detail: "of ours" });
  });

  test("holds no secret, whatever field or text it came in", () => {
    const { log, text } = capture();
    log.info(
      {
        password: "hunter2-a",
        user: { Password: "hunter2-b", deep: { refreshToken: "hunter2-c", list: [{ apiKey: "hunter2-d" }] } },
        headers: {
          authorization: "Bearer hunter2-e-hunter2",
          cookie: "session=hunter2-f",
          "set-cookie": ["a=hunter2-g"],
          "x-api-key": "hunter2-h",
        },
        note: `called with Bearer hunter2-i-hunter2 and ${jwt}`,
      },
      "connecting to postgres://app:hunter2-j@db:5432/app",
    );
    log.error({ err: new Error("login failed for postgres://app:hunter2-k@db/app") }, "failed");
    log.error(
      { err: Object.assign(new Error("request failed"), { request: { headers: { Authorization: "hunter2-m" } } }) },
      "failed",
    );
    log.warn(
      "upstream said password=hunter2-n for /reset?token=hunter2-o&x=1 and " +
        JSON.stringify({ apiKey: 1, password: "hunter2-p" }),
    );
    log.info({ note: "called with gw_hunter2abcdefghijklmnopqrstuvw" }, "x-api-key: gw_hunter2abcdefghijklmnopqrstuvw");
    log.info({ pem: "-----BEGIN PRIVATE KEY-----\nhunter2-l\n-----END PRIVATE KEY-----" });
    expect(text()).not.toContain("hunter2");
    expect(text()).not.toContain(jwt);
    expect(text()).toContain("postgres://[redacted]@db:5432/app");
  });
});

test.each([
  ["an error", new TypeError("no"), "TypeError: no"],
  ["a text", "no", "no"],
  ["nothing", undefined, "undefined"],
  ["what has no text", Object.create(null), "an object whose text cannot be read"],
  [
    "one whose text throws",
    Object.defineProperty(new Error(), "message", {
      get: () => {
        throw new Error("x");
      },
    }),
    "an object whose text cannot be read",
  ],
  ["NUL", "a\0b", "a\uFFFDb"],
  ["a long one", "x".repeat(5_000), "x".repeat(2_000)],
])("a thrown value has a text: %s", (_name, thrown, text) => {
  expect(errorText(thrown)).toBe(text);
});

describe("redaction", () => {
  test("leaves what is no secret alone", () => {
    const fields = {
      accessTokenSeconds: 900,
      tokens: 12,
      author: "me",
      keyboard: 1,
      count: 0,
      when: new Date(0),
      nothing: null,
    };
    expect(redactFields(fields)).toEqual({ ...fields, tokens: "[redacted]" });
    const prose = "basic English, a Bearer of news, the password: ask the secret token keeper";
    expect(redactText(prose)).toBe(prose);
  });

  test("survives a structure without end", () => {
    const loop: Record<string, unknown> = { password: "x" };
    loop.self = loop;
    expect(JSON.stringify(redactFields(loop))).toContain("[too deep]");
  });

  test("of a bug is printed in tests, with its cause and the stack of who threw it, without secrets", () => {
    const printed = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      const silent = createLogger({ write: () => undefined }, "fatal");
      logBug(silent, new Error("outer", { cause: new Error(`no relation, token ${jwt}`) }), "an endpoint failed");
      const text = printed.mock.calls.map(([chunk]) => String(chunk)).join("");
      expect(text).toMatch(/an endpoint failed \(request unknown\):\nError: outer\n\s+at .*logger\.test\.ts:\d+/);
      expect(text).toMatch(/\[cause\]: Error: no relation/);
      expect(text).not.toContain(jwt);
      expect(text).not.toContain("node_modules");
    } finally {
      printed.mockRestore();
    }
  });
});
