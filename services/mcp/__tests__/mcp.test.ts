// What of the MCP endpoint needs no app: pages of a text, origins and refusals. Over HTTP: mcp.pg.test.ts.
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { readMessage } from "../body";
import { addressOf, isForeignOrigin, toldAddress } from "../origin";
import { pageOf } from "../page";
import { rpcRefusal } from "../rpc-refusals";

describe("a text page by page", () => {
  test.each([1, 2, 3, 5, 100])("of %i characters comes whole, and no character is cut", (limit) => {
    const whole = "aé😀b😀😀";
    const pages: string[] = [];
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const page = pageOf(whole, offset, limit);
      pages.push(page.text);
      offset = page.next;
    }
    expect(pages.join("")).toBe(whole);
    expect(pages.map((page) => Buffer.from(page).toString())).toEqual(pages);
  });

  test("from within a character or beyond the end begins behind it", () => {
    expect(pageOf("a😀b", 2, 10)).toEqual({ text: "b" });
    expect(pageOf("abc", 3, 10)).toEqual({ text: "" });
    expect(pageOf("abc", 4_000, 10)).toEqual({ text: "" });
  });
});

test.each([
  [undefined, "evil.example:4000", false],
  ["https://app.example", "x", false],
  ["http://api.example:4000", "x", false],
  ["http://localhost:4001", "localhost:4001", false],
  ["http://[::1]:4001", "[::1]:4001", false],
  ["http://localhost:4002", "localhost:4001", true],
  ["http://localhost:4001", undefined, true],
  ["http://evil.example:4000", "evil.example:4000", true],
  ["http://localhost.evil.example:4000", "localhost.evil.example:4000", true],
  ["https://app.example.evil.example", "x", true],
  ["http://app.example", "app.example", true],
  ["null", "x", true],
  ["nonsense", "x", true],
  [["https://app.example", "https://app.example"], "x", true],
])("the origin %o at the host %s is foreign: %s", (origin, host, isForeign) => {
  const configured = ["https://app.example/sign-in", "http://api.example:4000"];
  expect(isForeignOrigin({ origin, host }, configured)).toBe(isForeign);
});

test.each([
  [{ host: "localhost:4000" }, "http://localhost:4000"],
  [{ host: "x", "x-forwarded-host": "api.example", "x-forwarded-proto": "https" }, "https://api.example"],
  [{}, "http://otherwise"],
  [{ host: "a b" }, "http://otherwise"],
])("called by %o the address is %s", (headers, address) => {
  expect(addressOf(headers, "http://otherwise")).toBe(address);
});

test.each([
  ["https://api.example/", "https://api.example"],
  ["http://localhost:4000", "http://127.0.0.1:4321"],
])("documents are told to be at %s, on a developer's machine where it was called", (configured, address) => {
  expect(toldAddress({ host: "127.0.0.1:4321", "x-forwarded-proto": "http" }, configured)).toBe(address);
});

test.each([
  ["values", { metadata: Object.fromEntries(Array.from({ length: 2_001 }, (_, n) => [`k${n}`, []])) }],
  ["levels", JSON.parse(`${"[".repeat(40)}${"]".repeat(40)}`) as unknown],
])("a message of too many %s is refused before anybody looks into it", async (_what, params) => {
  const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  await expect(readMessage(Readable.from([text]) as never)).rejects.toMatchObject({
    details: { fields: { "(body)": expect.stringContaining("holds more than") as string } },
  });
});

test.each([
  [401, {}, 401, -32_000],
  [403, {}, 403, -32_000],
  [429, {}, 429, -32_000],
  [400, { fields: { "(body)": "is no JSON" } }, 400, -32_700],
  [400, { fields: { "(body)": "is no message" } }, 400, -32_600],
  [400, { bodyBytesMax: "1" }, 413, -32_600],
])("a refusal of %i with %o is %i and %i", (status, details, wanted, code) => {
  const answer = rpcRefusal({ status, message: "m", details: { reason: "r", requestId: "i", ...details } });
  expect(answer).toMatchObject({ status: wanted, body: { jsonrpc: "2.0", id: null, error: { code, message: "m" } } });
  expect(answer.headers).toEqual(status === 401 ? { "www-authenticate": "Bearer" } : undefined);
});
