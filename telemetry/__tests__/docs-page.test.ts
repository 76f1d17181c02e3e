import { describe, expect, test } from "vitest";
import { docsPageHeaders } from "../../security/headers";
import { docsFile } from "../docs-page";

describe("the documentation page", () => {
  test("refers to files of its own only, and each of them is there", async () => {
    const page = await docsFile("");
    const links = [...String(page?.body).matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) {
      expect(link).toMatch(/^\/docs\//);
      const file = await docsFile(link.slice("/docs/".length));
      expect({ link, found: (file?.body.length ?? 0) > 0 }).toEqual({ link, found: true });
    }
  });

  test("has no inline script, so that its content security policy holds", async () => {
    const page = String((await docsFile(""))?.body);
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    expect(page).not.toMatch(/\son\w+=/);
    expect(docsPageHeaders["content-security-policy"]).toContain("script-src 'self'");
  });

  test.each([
    "../package.json",
    "..%2fpackage.json",
    "swagger-ui.js.map",
    "constructor",
    "__proto__",
    "index.html",
    "/etc/passwd",
  ])("serves no %s", async (name) => {
    expect(await docsFile(name)).toBeUndefined();
  });
});
