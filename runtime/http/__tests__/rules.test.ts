// Rules of the contract that the parity kit has no case for, each with its number. What is expected follows the
// official runtime's source.
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startApp, type AppProcess } from "./support/app-process";

let app: AppProcess;
beforeAll(async () => {
  app = await startApp(join(import.meta.dirname, "../../__tests__/fixtures/http-rules-app"));
});
afterAll(() => app.stop());

const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${app.port}${path}`, init);
const body = async (response: Response): Promise<unknown> => JSON.parse(await response.text());

describe("what a call is told of itself", () => {
  /** By hand: clients normalise names and bytes. */
  const raw = (lines: string[]): Promise<Record<string, string>> =>
    new Promise((resolve, reject) => {
      const socket = connect(app.port, "127.0.0.1");
      let text = "";
      socket.on("data", (chunk) => (text += chunk.toString("utf8")));
      socket.on("end", () => resolve(JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) as Record<string, string>));
      socket.on("error", reject);
      socket.end(
        Buffer.from(`GET /results/told/7 HTTP/1.1\r\n${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`, "latin1"),
      );
    });

  test.each([
    [["Host: a.example", "Accept: x", "X-Twice: 1", "x-twice: 2"]],
    [["X-Forwarded-For: 192.0.2.1", "x-forwarded-for: 192.0.2.2", "X-Forwarded-Host: evil.example", "Host: h"]],
    [
      [
        "traceparent: 00-0-0-0",
        "tracestate: a=b",
        "X-Encore-Meta-UserID: forged",
        "X-Latin: \u00e9",
        "X-Correlation-ID: c1",
      ],
    ],
    [["__proto__: x", "constructor: y", "X-Latin: \u00c3\u00a9", "x-latin: \u00e9"]],
  ])("the direct way tells what the SDK's copy does (%#)", async (lines) => {
    const { direct, copied, payload, message } = await raw(lines);
    expect(JSON.parse(direct!)).toEqual(JSON.parse(copied!));
    expect(JSON.parse(payload!)).toEqual({ id: "7" });
    // Who does not ask the SDK for its request is told of none.
    expect(message).toBe("null");
  });
});

describe("results", () => {
  test("a query field is no part of an answer (H-33)", async () => {
    const response = await ask("/results/echo?q=5", { method: "POST", body: '{"v":"x"}', headers: { "x-h": "y" } });
    expect(await body(response)).toEqual({ v: "x" });
    expect(response.headers.get("x-h")).toBe("y");
    const none = await ask("/results/query-only");
    expect([none.status, await none.text(), none.headers.get("content-type")]).toEqual([200, "", null]);
  });

  test("of a result that cannot be taken over not even middleware's headers go out (H-88, H-108)", async () => {
    for (const what of ["unlisted", "nan"]) {
      const response = await ask(`/results/odd/${what}`);
      expect([response.status, response.headers.get("x-mark")]).toEqual([500, null]);
    }
    for (const what of ["httpStatus", "map"]) {
      const response = await ask(`/results/odd/${what}`);
      expect([response.status, response.headers.get("x-mark")]).toEqual([400, "middleware"]);
    }
  });

  test("all of a result has to be representable, also keys that its type does not name (H-81, N-1)", async () => {
    expect(await body(await ask("/results/odd/unlisted"))).toMatchObject({
      code: "internal",
      internal_message: "InvalidArg, JS functions cannot be represented as a serde_json::Value",
    });
  });

  test.each([
    ["202", 202],
    ["202.9", 202],
    ["-1", 400],
    ["70000", 400],
    ["42", 500],
    ["1000", 500],
  ])("middleware's status %s becomes %d (M-7)", async (status, expected) => {
    const response = await ask(`/results/status/${status}`);
    expect(response.status).toBe(expected);
    if (expected === 400)
      expect(await body(response)).toMatchObject({
        message: "invalid http status code: out of range integral type conversion attempted",
      });
  });
});

test("header fields hold what the gateway sets, not what the client claims (3.11)", async () => {
  const response = await ask("/results/forwarded", {
    headers: {
      "x-forwarded-for": "203.0.113.9",
      "x-forwarded-proto": "gopher",
      traceparent: "00-1-2-03",
      "x-encore-meta-userid": "forged",
    },
  });
  expect(await body(response)).toEqual({
    for: "203.0.113.9, 127.0.0.1",
    proto: "http",
    host: "127.0.0.1",
    original: `127.0.0.1:${app.port}`,
    agrees: true,
    trace: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/) as string,
  });
});

describe("calls inside the app", () => {
  const unfit = (problem: string): object => ({ api: true, code: "invalid_argument", message: problem, details: null });
  test.each([
    [
      "nan",
      { api: false, code: "InvalidArg", message: "Failed to convert js number to serde_json::Number", details: null },
      "G-47",
    ],
    [
      "unlisted",
      {
        api: false,
        code: "InvalidArg",
        message: "JS functions cannot be represented as a serde_json::Value",
        details: null,
      },
      "G-47",
    ],
    ["cookieBesideQuery", { result: { n: 1, q: "x" } }, "G-43"],
    ["refused", unfit("unable to parse error response: missing field `code` at line 1 column 9"), "G-45"],
    ["moved", unfit("unable to parse error response: EOF while parsing a value at line 1 column 0"), "G-45"],
    ["lookalike", { api: true, code: "aborted", message: "told by a field", details: { a: 1 } }, "G-45"],
    ["role", { result: { who: "admin" } }, "A-10"],
    [
      "noSuchRole",
      unfit(
        'unable to parse request: invalid auth data\n\nCaused by:\n    role: invalid type: string "root", expected "admin" or "user" at line 1 column 14',
      ),
      "A-8, A-10",
    ],
  ])("%s ends in %j (%s)", async (what, expected) =>
    expect(await body(await ask(`/calls/job/${what}`))).toEqual(expected),
  );
});

describe("static assets", () => {
  test.each([
    ["a.map", "text/plain"],
    ["a.mjs", "application/javascript"],
    ["a.constructor", "application/octet-stream"],
  ])("%s is %s (H-141)", async (file, type) => {
    expect((await ask(`/files/${file}`)).headers.get("content-type")).toBe(type);
  });

  test("a name that a URL cannot hold unencoded is refused (H-141)", async () => {
    const response = await ask(`/files/${encodeURIComponent("żółć.txt")}`);
    expect(response.status).toBe(400);
    expect(await body(response)).toMatchObject({ message: expect.stringContaining("invalid file path") as string });
  });
});

test("stream messages have the fields of a body; what is no object is not sent (S-5, S-6, N-1)", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${app.port}/live/keys`);
  const received: unknown[] = [];
  const done = new Promise<void>((resolve, reject) => {
    socket.on("message", (data: Buffer) => {
      received.push(JSON.parse(data.toString()));
      if (received.length === 2) resolve();
    });
    socket.on("error", reject);
  });
  socket.on("open", () => {
    socket.send('{"text":"keys","h":"dropped","q":"not a number"}');
    socket.send('{"text":"nothing"}');
  });
  await done;
  socket.terminate();
  expect(received).toEqual([{ text: "text" }, { text: "Expect value to be Object, but received Undefined" }]);
});
