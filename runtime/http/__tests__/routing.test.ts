// Which endpoint answers a path (contract 3.2), which origin may read an answer (3.10), and the ids of requests.
import { describe, expect, test } from "vitest";
import type { PathSegment } from "../../model";
import { Cors, type CorsRequest } from "../cors";
import { fromThrown } from "../failure";
import { mergeProtocolHeaders } from "../protocol-headers";
import { Router } from "../router";
import { base32, Trace } from "../../trace";

/** `/a/:x/*rest` as segments. */
function segments(path: string): PathSegment[] {
  const kinds = { ":": "param", "*": "wildcard", "!": "fallback" } as const;
  return path
    .slice(1)
    .split("/")
    .map((text): PathSegment => {
      const kind = kinds[text[0] as keyof typeof kinds];
      return kind ? { kind, value: text.slice(1), type: "string" } : { kind: "literal", value: text };
    });
}

function router(...routes: string[]): (method: string, path: string) => unknown {
  const r = new Router<string>();
  for (const route of routes) r.add(segments(route.split(" ")[1]!), [route.split(" ")[0]!], route);
  return (method, path) => {
    const found = r.find(method, path);
    if (found.kind === "found") return [found.endpoint.split(" ")[1], ...found.params];
    return found.kind === "notAllowed" ? found.allow : found.isKnown;
  };
}

describe("routing", () => {
  const find = router(
    "GET /a",
    "GET /a/:x",
    "GET /a/:x/more",
    "GET /a/fixed",
    "POST /a/:y",
    "GET /w/*rest",
    "GET /w/own",
    "GET /fb/known",
    "GET /fb/!rest",
    "POST /fb/!rest",
    "GET /p/:x/*rest",
  );
  test.each([
    ["/a", ["/a"]],
    ["/a/", ["/a"]],
    ["/a/fixed", ["/a/fixed"]],
    ["/a/fixedly", ["/a/:x", "fixedly"]],
    ["/a/fixed/more", ["/a/:x/more", "fixed"]],
    ["/a/x/", ["/a/:x", "x"]],
    ["/a//more", ["/a/:x/more", ""]],
    ["/a/x/other", false],
    ["/b", false],
    ["/A", false],
    ["/a%2Fx", false],
    ["", false],
    ["a", false],
    ["/w/", ["/w/*rest", undefined]],
    ["/w/x//y/", ["/w/*rest", "x//y/"]],
    ["/w/own", ["/w/own"]],
    ["/w/owned", ["/w/*rest", "owned"]],
    ["/w", false],
    ["/fb/known", ["/fb/known"]],
    ["/fb/other", ["/fb/!rest", "other"]],
    ["/p/1/2/3", ["/p/:x/*rest", "1", "2/3"]],
    ["/p/1/", ["/p/:x/*rest", "1", undefined]],
  ])("GET %s", (path, expected) => expect(find("GET", path)).toEqual(expected));

  test("methods have routes of their own on one path", () => expect(find("POST", "/a/1")).toEqual(["/a/:y", "1"]));
  test("a path that only other methods have is known", () => expect(find("PUT", "/a/1")).toBe(true));
  test("a fallback does not take the methods of a known path", () =>
    expect(find("POST", "/fb/known")).toEqual(["GET", "HEAD"]));
  test("a wildcard takes the slash of the route before it", () =>
    expect(router("GET /f", "GET /f/*p")("GET", "/f/")).toEqual(["/f/*p", undefined]));
  test("the root path has no second slash, a parameter behind it has (H-14)", () => {
    expect(router("GET /")("GET", "/")).toEqual(["/"]);
    expect(router("GET /")("GET", "//")).toBe(false);
    expect(router("GET /", "GET /:x")("GET", "//")).toEqual(["/:x", ""]);
  });
  test("a root fallback takes everything else", () => {
    const all = router("GET /known", "GET /!rest");
    expect(all("GET", "/")).toEqual(["/!rest", undefined]);
    expect(all("GET", "/known")).toEqual(["/known"]);
    expect(all("GET", "/a/b")).toEqual(["/!rest", "a/b"]);
  });
});

describe("cross-origin rules", () => {
  const request = (more: Partial<CorsRequest>): CorsRequest => ({
    method: "GET",
    origin: "https://a.example",
    authorization: undefined,
    cookie: undefined,
    requestMethod: undefined,
    requestHeaders: undefined,
    privateNetwork: undefined,
    ...more,
  });
  const cors = new Cors({
    settings: { allowOriginsWithCredentials: ["https://*.example", "https://exact.org"] },
    open: false,
    requestFields: [],
    responseFields: [],
  });

  test("without credentials any origin may read; with them only listed ones", () => {
    expect(cors.allows(request({ origin: "https://evil.org" }))).toBe(true);
    expect(cors.allows(request({ origin: "https://evil.org", cookie: "a=1" }))).toBe(false);
    expect(cors.allows(request({ origin: "https://evil.org", authorization: "x" }))).toBe(false);
    expect(cors.allows(request({ cookie: "a=1" }))).toBe(true);
    expect(cors.allows(request({ origin: "https://EXACT.org", cookie: "a=1" }))).toBe(true);
  });

  test("a star stands for at least one character, and only there", () => {
    expect(cors.allows(request({ origin: "https://.example", cookie: "a" }))).toBe(false);
    expect(cors.allows(request({ origin: "https://a.example.evil.org", cookie: "a" }))).toBe(false);
  });

  test("a pre-flight that asks for credentials is judged as if it had them", () => {
    const asks = (requestHeaders: string): boolean =>
      cors.allows(request({ method: "OPTIONS", origin: "https://evil.org", requestHeaders }));
    expect(asks("content-type, authorization")).toBe(false);
    expect(asks("x-authorization")).toBe(true);
  });
});

test("ids are 26 and 13 characters of base32 and the same bits in hex", () => {
  const trace = new Trace();
  expect(trace.traceId).toMatch(/^[0-9a-v]{26}$/);
  expect(trace.spanId).toMatch(/^[0-9a-v]{13}$/);
  const [, traceHex, spanHex] = trace.traceparent.split("-");
  expect(base32(Buffer.from(traceHex!, "hex"))).toBe(trace.traceId);
  expect(base32(Buffer.from(spanHex!, "hex"))).toBe(trace.spanId);
  expect(Trace.known(trace.traceId, trace.spanId).traceparent).toBe(trace.traceparent);
  expect(new Trace(trace).traceId).toBe(trace.traceId);
  expect(new Trace(trace).spanId).not.toBe(trace.spanId);
  expect(new Set(Array.from({ length: 2000 }, () => new Trace().traceId)).size).toBe(2000);
});

test("headers of the sub-protocol are merged, forbidden ones refused", () => {
  const protocol = (headers: object): string =>
    `encore-ws, encore.dev.headers.${Buffer.from(JSON.stringify(headers)).toString("base64url")}`;
  expect(
    mergeProtocolHeaders(["Host", "a", "Sec-WebSocket-Protocol", protocol({ authorization: "Bearer x" })]),
  ).toEqual(["Host", "a", "authorization", "Bearer x", "Sec-WebSocket-Protocol", "encore-ws"]);
  for (const name of ["host", "Cookie", "sec-websocket-key", "proxy-x"])
    expect(mergeProtocolHeaders(["Sec-WebSocket-Protocol", protocol({ [name]: "x" })])).toBeNull();
  expect(mergeProtocolHeaders(["Sec-WebSocket-Protocol", protocol({ "x-a": "b\r\nx-b: c" })])).toBeNull();
  expect(mergeProtocolHeaders(["Sec-WebSocket-Protocol", "encore.dev.headers.%%%"])).toBeNull();
});

test("a thrown value is read by its fields, and seconds to wait become a header", () => {
  expect(
    fromThrown({ code: "resource_exhausted", message: "slow", details: { retryAfterSeconds: 1.2 } }),
  ).toMatchObject({
    status: 429,
    message: "slow",
    headers: ["retry-after", "2"],
    details: '{"retryAfterSeconds":1.2}',
  });
  expect(fromThrown(new Error("secret"))).toMatchObject({
    code: "internal",
    message: "an internal error occurred",
    internal: "secret",
  });
  expect(fromThrown(null)).toMatchObject({ internal: "an unknown exception was thrown" });
  const hostile = {
    get code(): string {
      throw new Error("no");
    },
  };
  expect(fromThrown(hostile).code).toBe("internal");
});
