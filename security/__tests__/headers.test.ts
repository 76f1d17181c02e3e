import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { apiHeaders, docsPageHeaders } from "../headers";

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as {
  groundwork: { edgeHeaders: Record<string, string> };
};

describe("security headers", () => {
  test("of the host's edge, which answers errors and refusals, are the guard's own", () => {
    expect(manifest.groundwork.edgeHeaders).toEqual(apiHeaders);
  });

  test("forbid framing, sniffing and every source that is not needed", () => {
    for (const headers of [apiHeaders, docsPageHeaders]) {
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none'/);
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(headers["content-security-policy"]).not.toMatch(/script-src[^;]*'unsafe/);
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(Number(/max-age=(\d+)/.exec(headers["strict-transport-security"])?.[1])).toBeGreaterThanOrEqual(
        31_536_000,
      );
    }
  });

  test("have lower-case names: a raw answer keeps the case it is given and would carry both", () => {
    for (const name of Object.keys({ ...apiHeaders, ...docsPageHeaders })) expect(name).toBe(name.toLowerCase());
  });
});
