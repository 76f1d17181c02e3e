// Part of tokens-over-http.test.ts, whose app it shares. The console's session in a browser: a cookie that no script reads, that
// acts only where a page of ours says that staff do, beside whatever accounts the browser holds; and the link that opens it.
import { describe, expect, test } from "vitest";
import type { CommandsBeside } from "./support/commands-beside";
import { CookieBrowser } from "./support/cookie-browser";

const STAFF = { "x-account-id": "operator" };
const COOKIE = "__Host-operator";
/** What a browser says where a page of another site asks. */
const FOREIGN: Record<string, string>[] = [
  { origin: "https://evil.example" },
  { "sec-fetch-site": "cross-site" },
  { "sec-fetch-site": "same-site" },
];

export function staffCookie(baseUrl: () => string, admin: () => CommandsBeside["admin"]): void {
  const makeLink = async (): Promise<string> => /gwl_[\w-]{43}/.exec(await admin()("operator", "link"))?.[0] ?? "";
  const open = async (browser: CookieBrowser, link: string, headers: Record<string, string> = {}) =>
    browser.post("/operator/login/link", { link, cookies: true }, headers);
  const kindOf = async (browser: CookieBrowser, headers: Record<string, string>): Promise<unknown> => {
    const { status, body } = await browser.ask("GET", "/auth/me", undefined, headers);
    return status === 200 ? body.kind : body.details?.reason;
  };

  describe("an operator in a browser", () => {
    test("comes in by the link once, with a host cookie that no script reads, and acts where the page says so", async () => {
      const browser = new CookieBrowser(baseUrl());
      const link = await makeLink();
      const { status, body, setCookies } = await open(browser, link);
      expect({ status, body }).toEqual({ status: 200, body: { token: "", expiresIn: 14_400 } });
      expect(setCookies).toEqual([
        expect.stringMatching(
          /^__Host-operator=gwo_[\w-]{43}; Path=\/; Max-Age=14400; Secure; HttpOnly; SameSite=Strict$/,
        ),
      ]);
      expect(await kindOf(browser, STAFF)).toBe("operator");
      expect(await kindOf(browser, {})).toBe("unauthenticated");
      expect(await open(new CookieBrowser(baseUrl()), link)).toMatchObject({
        status: 401,
        body: { details: { reason: "operator_link_invalid" } },
        setCookies: [],
      });
      const out = await browser.post("/operator/logout", {}, STAFF);
      expect([out.status, browser.cookies.has(COOKIE)]).toEqual([200, false]);
      browser.keep(setCookies);
      expect(await kindOf(browser, STAFF)).toBe("invalid_token");
    });

    test("does not come in by the link from elsewhere, however they come, nor from a page of another site", async () => {
      const link = await makeLink();
      const far = ["203.0.113.7", "203.0.113.7, 127.0.0.1", "10.2.3.4"].map((chain) => ({ "x-forwarded-for": chain }));
      for (const headers of [...far, { forwarded: "for=203.0.113.7" }])
        expect((await open(new CookieBrowser(baseUrl()), link, headers)).body.details?.reason).toBe(
          "operator_link_invalid",
        );
      for (const headers of FOREIGN)
        expect((await open(new CookieBrowser(baseUrl()), link, headers)).body.details?.reason).toBe(
          "cross_site_request",
        );
      expect((await open(new CookieBrowser(baseUrl()), link)).status).toBe(200);
    });

    test("does nothing that a page of another site asks, and is beside the accounts of customers", async () => {
      const browser = new CookieBrowser(baseUrl());
      const person = { email: "beside@example.com", password: "a passphrase of many words", organisation: "Beside" };
      expect((await browser.post("/auth/register", { ...person, cookies: true })).status).toBe(200);
      expect((await open(browser, await makeLink())).status).toBe(200);
      expect([await kindOf(browser, {}), await kindOf(browser, STAFF)]).toEqual(["user", "operator"]);
      expect((await browser.ask("GET", "/console/api/overview", undefined, STAFF)).status).toBe(200);
      expect((await browser.ask("GET", "/console/api/overview")).body.details?.reason).toBe("permission_denied");
      for (const foreign of FOREIGN)
        for (const [method, path] of [
          ["GET", "/console/api/overview"],
          ["POST", "/operator/logout"],
        ] as const) {
          const answer = await browser.ask(method, path, method === "POST" ? {} : undefined, { ...STAFF, ...foreign });
          expect([path, answer.body.details?.reason]).toEqual([path, "cross_site_request"]);
        }
    });
  });
}
