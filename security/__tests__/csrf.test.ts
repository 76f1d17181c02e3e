import { describe, expect, test } from "vitest";
import { isCrossSite, isOwnPageBy, isPlainRead, refuseForeignHandshake } from "../csrf";
import { reasonOf } from "../errors";

describe("a request that another site may have caused", () => {
  test.each<[string, Record<string, string | string[]>]>([
    ["says so itself", { "sec-fetch-site": "cross-site" }],
    ["comes from a neighbouring subdomain", { "sec-fetch-site": "same-site" }],
    [
      "has a foreign origin, from a browser without fetch metadata",
      { origin: "https://evil.example", host: "api.example.com" },
    ],
    ["has an opaque origin (sandboxed frame, redirect)", { origin: "null", host: "api.example.com" }],
    ["claims two origins", { origin: ["https://api.example.com", "https://evil.example"], host: "api.example.com" }],
    ["differs in its port only", { origin: "https://api.example.com:8443", host: "api.example.com" }],
    ["names an origin, but no host to compare it with", { origin: "https://undefined" }],
    ["has a host that is none", { origin: "https://api.example.com", host: "api.example.com:port" }],
    ["has our origin by another protocol's port", { origin: "http://api.example.com", host: "api.example.com:443" }],
    ["has a cookie, and says nothing of where it comes from", { cookie: "__Host-account=x", host: "api.example.com" }],
    ["has an empty Authorization header beside its cookie", { "sec-fetch-site": "cross-site", authorization: "" }],
  ])("and %s, is taken for another site's", (_what, headers) => {
    expect(isCrossSite(headers)).toBe(true);
  });
});

describe("a request that no other site can have caused", () => {
  test.each<[string, Record<string, string>]>([
    ["comes from a page of ours", { "sec-fetch-site": "same-origin" }],
    ["was typed by its user", { "sec-fetch-site": "none" }],
    ["has our own origin", { origin: "https://api.example.com", host: "api.example.com" }],
    [
      "has our own origin, behind a proxy",
      { origin: "https://api.example.com", host: "10.0.0.1:4000", "x-forwarded-host": "api.example.com" },
    ],
    ["comes from no browser", {}],
    ["carries its credentials itself", { "sec-fetch-site": "cross-site", authorization: "Bearer x" }],
    [
      "names its own port that the protocol implies",
      { origin: "https://api.example.com", host: "API.example.com:443" },
    ],
  ])("%s", (_what, headers) => {
    expect(isCrossSite(headers)).toBe(false);
  });
});

describe("a stream's handshake with a cookie", () => {
  const refusal = (handshake: Parameters<typeof refuseForeignHandshake>[0]): string | undefined => {
    try {
      refuseForeignHandshake(handshake);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  };
  const foreign = { origin: "https://evil.example", host: "api.example.com" };
  const own = { origin: "https://api.example.com", host: "api.example.com" };

  test("from another site is refused, whichever header tells", () => {
    expect(refusal({ webSocketKey: "k", ...foreign })).toBe("cross_site_request");
    expect(refusal({ webSocketKey: "k", ...own, fetchSite: "cross-site" })).toBe("cross_site_request");
  });

  test("that does not say where it comes from is refused", () => {
    expect(refusal({ webSocketKey: "k" })).toBe("cross_site_request");
    expect(refusal({ webSocketKey: "k", host: "api.example.com" })).toBe("cross_site_request");
  });

  test("of our own pages passes, and what opens no stream is the guard's", () => {
    for (const passing of [
      { webSocketKey: "k", ...own },
      { webSocketKey: "k", ...foreign, fetchSite: "same-origin" },
      foreign,
    ])
      expect(refusal(passing)).toBeUndefined();
  });
});

test("only a page of ours, beyond doubt, may set cookies", () => {
  const isOwn = (headers: Record<string, string>): boolean => isOwnPageBy((name) => headers[name]);
  expect(isOwn({ "sec-fetch-site": "same-origin" })).toBe(true);
  expect(isOwn({ origin: "https://api.example.com", host: "api.example.com" })).toBe(true);
  for (const doubtful of [
    {},
    { authorization: "Bearer x" },
    { "sec-fetch-site": "cross-site", authorization: "Bearer x" },
    { "sec-fetch-site": "same-site" },
    { origin: "null", host: "api.example.com" },
  ] as Record<string, string>[])
    expect(isOwn(doubtful), JSON.stringify(doubtful)).toBe(false);
});

test.each([
  ["GET", true],
  ["HEAD", true],
  ["POST", false],
  ["OPTIONS", false],
  ["", false], // a stream
])("whether %j is a plain read: %s", (method, expected) => {
  expect(isPlainRead(method)).toBe(expected);
});
