import { describe, expect, it } from "vitest";
import { LogLevel } from "../levels";
import { createLogger, type LogConfig } from "../index";

const config: LogConfig = {
  appRoot: "/app",
  environment: { name: "local", type: "development", cloud: "local" },
  logFormat: "json",
};

function recording(env: NodeJS.ProcessEnv = {}, over: Partial<LogConfig> = {}) {
  const lines: string[] = [];
  const made = createLogger({ ...config, ...over }, env, { write: (line) => void lines.push(line) });
  return { ...made, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe("a log line", () => {
  it("is JSON with sorted keys and ends in a newline", () => {
    const { logger, lines } = recording();
    logger.log(null, LogLevel.Info, "hello", undefined, undefined, { zebra: 1, apple: "x" });
    expect(lines[0]).toMatch(/^\{"apple":"x","level":"info","message":"hello","time":"[^"]+Z","zebra":1\}\n$/);
  });

  it("writes what JSON cannot hold as the name of its type, and dates and big numbers as texts", () => {
    const { logger, parsed } = recording();
    logger.log(null, LogLevel.Info, "odd", undefined, undefined, {
      when: new Date(0),
      big: 9007199254740993n,
      nan: NaN,
      fn: () => 1,
      buf: Buffer.from("x"),
      und: undefined,
    });
    expect(parsed()[0]).toMatchObject({
      when: "1970-01-01T00:00:00Z",
      big: "9007199254740993",
      nan: "Number",
      fn: "Function",
      buf: "Object",
    });
    expect(parsed()[0]).not.toHaveProperty("und");
  });

  it("is written of every error, whatever its message holds and whether it can be read or not", () => {
    const { logger, parsed } = recording();
    const listed = Object.assign(new Error("listed"), { stack: [] });
    const unreadable = new Proxy(new Error(), {
      get: () => {
        throw new Error("it cannot be read");
      },
    });
    const bare = Object.create(null) as Error;
    const framed = new Error("sent\n    at f (file://elsewhere/x:1:1)\n    at g (file:///a%2Fb:1:1)");
    for (const error of [framed, listed, unreadable, bare])
      logger.log(null, LogLevel.Error, "failed", error, undefined, undefined);
    expect(parsed().map((line) => line.error)).toEqual([
      framed.message,
      "listed",
      "an error that cannot be read",
      "an error that cannot be read",
    ]);
  });

  it("lets the standard fields win over fields of the same name, except `error`", () => {
    const { logger, parsed } = recording();
    logger.log(null, LogLevel.Info, "clash", undefined, undefined, {
      level: "mine",
      message: "mine",
      time: "mine",
      error: "mine",
    });
    expect(parsed()[0]).toMatchObject({ level: "info", message: "clash", error: "mine" });
    expect(parsed()[0]?.time).not.toBe("mine");
  });

  it("names the request it was written in", () => {
    const { logger, parsed } = recording();
    const request = {
      meta: () => ({
        trace: { traceId: "t", spanId: "s", parentTraceId: "p" },
        pubsubMessage: { service: "svc", topic: "top", subscription: "sub" },
      }),
      getAuthData: () => null,
    };
    logger.log(request, LogLevel.Info, "in a message");
    expect(parsed()[0]).toMatchObject({
      service: "svc",
      topic: "top",
      subscription: "sub",
      trace_id: "t",
      span_id: "s",
      x_correlation_id: "p",
    });
  });

  it("carries an error's message and the app's own frames, relative to the app", () => {
    const { logger, parsed } = recording();
    const error = new Error("boom");
    error.stack =
      "Error: boom\n    at async emit (/app/svc/logs.ts:12:5)\n    at Object.handler (file:///app/svc/api.ts:93:3)\n    at run (/app/node_modules/x/y.js:1:1)\n    at node:internal/z:1:2";
    logger.log(null, LogLevel.Error, "failed", error);
    expect(parsed()[0]).toMatchObject({
      error: "boom",
      stack: [
        { file: "svc/logs.ts", func: "emit", line: 12 },
        { file: "svc/api.ts", func: "Object.handler", line: 93 },
      ],
    });
  });
});

describe("a logger", () => {
  it("adds bound fields, which a call may override", () => {
    const { logger, parsed } = recording();
    const bound = logger.with({ bound: 1 });
    bound.log(null, LogLevel.Info, "a");
    bound.log(null, LogLevel.Info, "b", undefined, undefined, { bound: 2 });
    expect(parsed().map((line) => line.bound)).toEqual([1, 2]);
  });

  it("drops what is below its level or below ENCORE_LOG, and everything under ENCORE_NOLOG", () => {
    const own = recording();
    own.logger.withLevel(LogLevel.Warn).log(null, LogLevel.Info, "hidden");
    const filtered = recording({ ENCORE_LOG: "error" });
    filtered.logger.log(null, LogLevel.Warn, "hidden");
    const nothing = recording({ ENCORE_NOLOG: "1" });
    nothing.logger.log(null, LogLevel.Error, "hidden");
    nothing.hostLog.error("hidden", new Error("x"));
    expect([...own.lines, ...filtered.lines, ...nothing.lines]).toEqual([]);
  });

  it("uses Google's key names when the cloud is Google's", () => {
    const { logger, parsed } = recording({ ENCORE_CLOUD_PROVIDER: "gcp" });
    logger.log(null, LogLevel.Warn, "hello");
    expect(parsed()[0]).toMatchObject({
      severity: "WARNING",
      message: "hello",
      timestamp: expect.any(String) as string,
    });
  });

  it("writes one readable line in the console format", () => {
    const { hostLog, lines } = recording({}, { logFormat: "console" });
    hostLog.warn("careful", { port: 1 });
    expect(lines[0]).toContain("WRN");
    expect(lines[0]).toContain("careful");
    expect(lines[0]?.match(/\n/g)).toHaveLength(1);
  });
});
