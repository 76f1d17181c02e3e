// Part of tokens-over-http.test.ts and every-endpoint.pg.test.ts, whose apps it shares. A browser in front of them: tokens that no script can read, several
// accounts beside each other, and everything that a page of another site, or one account against another, can try.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CookieBrowser } from "./support/cookie-browser";

const password = "a passphrase of many words";

let people = 0;
const newcomer = (): { email: string; password: string; organisation: string } => ({
  email: `browser-${++people}@example.com`,
  password,
  organisation: `Company ${people}`,
});

interface Person {
  id: string;
  email: string;
}

/** Registers a newcomer in the browser. */
async function joined(browser: CookieBrowser): Promise<Person> {
  const { status, body } = await browser.post("/auth/register", { ...newcomer(), cookies: true });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.user as Person;
}

async function whoActs(browser: CookieBrowser, accountId?: string): Promise<string | undefined> {
  const headers: Record<string, string> = accountId === undefined ? {} : { "x-account-id": accountId };
  const { status, body } = await browser.ask("GET", "/auth/me", undefined, headers);
  return status === 200 ? (body.user as Person).id : body.details?.reason;
}

const accountsOf = async (browser: CookieBrowser): Promise<{ id: string; active: boolean }[]> =>
  (await browser.ask("GET", "/auth/accounts")).body.accounts as { id: string; active: boolean }[];

export function browserAccounts(baseUrl: () => string): void {
  describe("signing in, in cookies", () => {
    test("sets host cookies that scripts cannot read and other sites not send, and no token is in the body", async () => {
      const browser = new CookieBrowser(baseUrl());
      const person = newcomer();
      const { status, body, setCookies } = await browser.post("/auth/register", { ...person, cookies: true });
      expect(status).toBe(200);
      expect(body).toEqual({
        accessToken: "",
        refreshToken: "",
        expiresIn: 900,
        user: { id: expect.any(String), email: person.email },
        organisation: { id: expect.any(String), name: person.organisation, role: "owner" },
      });
      const id = (body.user as Person).id;
      const rest = "Secure; HttpOnly; SameSite=Strict";
      expect(setCookies).toEqual([
        expect.stringMatching(
          new RegExp(`^__Host-session-0=${id}\\.[\\w-]+\\.[\\w-]+\\.[\\w-]+; Path=/; Max-Age=900; ${rest}$`),
        ),
        expect.stringMatching(new RegExp(`^__Host-refresh-0=${id}\\.[\\w-]{91}; Path=/; Max-Age=2592000; ${rest}$`)),
        `__Host-account=${id}; Path=/; Max-Age=2592000; ${rest}`,
      ]);
      expect(await whoActs(browser)).toBe(id);
    });

    test("goes on in cookies: refreshing, switching the organisation and step-up give no tokens to a page", async () => {
      const browser = new CookieBrowser(baseUrl());
      const { id } = await joined(browser);
      const made = await browser.post("/auth/organisations", { name: "Second" });
      const calls: [string, unknown][] = [
        ["/auth/switch", { organisationId: made.body.id }],
        ["/auth/step-up", { password }],
        ["/auth/refresh", {}],
      ];
      for (const [path, body] of calls) {
        const before = browser.cookies.get("__Host-session-0");
        const answer = await browser.post(path, body);
        expect(answer, path).toMatchObject({ status: 200, body: { accessToken: "" } });
        expect(answer.body.refreshToken ?? "", path).toBe("");
        expect(browser.cookies.get("__Host-session-0"), path).not.toBe(before);
        expect(await whoActs(browser), path).toBe(id);
      }
      const { body } = await browser.ask("GET", "/auth/me");
      expect(body.organisation).toMatchObject({ name: "Second" });
    });

    test("a tab that shows an organisation writes nothing into another, into which a tab beside it has switched", async () => {
      const browser = new CookieBrowser(baseUrl());
      await joined(browser);
      const shown = async (): Promise<string> =>
        ((await browser.ask("GET", "/auth/me")).body.organisation as { id: string }).id;
      const invite = (id: string): ReturnType<CookieBrowser["post"]> =>
        browser.post(
          "/auth/invitations",
          { email: `${crypto.randomUUID()}@example.com`, role: "viewer" },
          { "x-organisation-id": id },
        );
      const first = await shown();
      expect((await invite(first)).status).toBe(200);
      // The other tab, of the same browser.
      const { body: second } = await browser.post(
        "/auth/organisations",
        { name: "Second" },
        { "x-organisation-id": first },
      );
      expect((await browser.post("/auth/switch", { organisationId: second.id })).status).toBe(200);
      expect(await invite(first)).toMatchObject({
        status: 409,
        body: { details: { reason: "organisation_mismatch" } },
      });
      const invitations = await browser.ask("GET", "/auth/invitations");
      expect(invitations.body.invitations).toEqual([]);
      expect((await invite(await shown())).status).toBe(200);
      // A page of another origin may say it too.
      const preflight = await fetch(`${baseUrl()}/auth/invitations`, {
        method: "OPTIONS",
        headers: {
          origin: "https://app.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": "idempotency-key,x-organisation-id",
        },
      });
      expect(preflight.headers.get("access-control-allow-headers")?.split(",")).toEqual(
        expect.arrayContaining(["x-organisation-id", "idempotency-key"]),
      );
    });

    test("needs no access token to go on: an expired or revoked one is in nobody's way", async () => {
      const browser = new CookieBrowser(baseUrl());
      const { id } = await joined(browser);
      browser.cookies.set("__Host-session-0", `${id}.a.b.c`);
      expect(await whoActs(browser)).toBe("invalid_token");
      expect((await browser.post("/auth/refresh")).status).toBe(200);
      expect(await whoActs(browser)).toBe(id);
    });

    test("does not end when tabs refresh at once, and the answer that arrives last is an old one", async () => {
      const browser = new CookieBrowser(baseUrl());
      const { id } = await joined(browser);
      const late = browser.clone();
      const answers = await Promise.all([1, 2, 3].map(() => browser.clone().post("/auth/refresh")));
      const cookies = answers.map(({ setCookies }) => setCookies.find((line) => line.startsWith("__Host-refresh-0=")));
      expect(new Set(cookies).size).toBe(1);
      browser.keep(answers[0]?.setCookies ?? []);
      // Another refresh before the late tab's answer, which then puts its cookie over this one's.
      const present = browser.cookies.get("__Host-refresh-0");
      expect((await browser.post("/auth/refresh")).status).toBe(200);
      expect((await late.post("/auth/refresh")).status).toBe(200);
      expect([browser.cookies.get("__Host-refresh-0"), late.cookies.get("__Host-refresh-0")]).toEqual([
        present,
        present,
      ]);
      expect(await whoActs(late)).toBe(id);
    });

    test("ends with the cookies gone and the sign-in over; a copy of the cookies is good for nothing", async () => {
      const browser = new CookieBrowser(baseUrl());
      await joined(browser);
      const copy = browser.clone();
      expect((await browser.post("/auth/logout")).status).toBe(200);
      expect([...browser.cookies]).toEqual([]);
      expect((await copy.post("/auth/refresh")).body.details?.reason).toBe("refresh_token_invalid");
      expect(await whoActs(browser)).toBe("unauthenticated");
    });
  });

  describe("several accounts in one browser", () => {
    test("stand beside each other: the request says who acts, or the one that is active does, without a password", async () => {
      const browser = new CookieBrowser(baseUrl());
      const [first, second] = [await joined(browser), await joined(browser)];
      expect(await accountsOf(browser)).toEqual([
        { id: first.id, email: first.email, organisation: expect.anything(), active: false },
        { id: second.id, email: second.email, organisation: expect.anything(), active: true },
      ]);
      expect(await whoActs(browser)).toBe(second.id);
      expect(await whoActs(browser, first.id)).toBe(first.id);
      const switched = await browser.post("/auth/accounts/switch", { userId: first.id });
      expect(switched).toMatchObject({
        status: 200,
        body: { accessToken: "", refreshToken: "", user: { id: first.id } },
      });
      expect(await whoActs(browser)).toBe(first.id);
      expect(await whoActs(browser, second.id)).toBe(second.id);
      const absent = "0193a1c0-0000-7000-8000-000000000001";
      expect(await whoActs(browser, absent)).toBe("unauthenticated");
      expect((await browser.post("/auth/accounts/switch", { userId: absent })).status).toBe(404);
    });

    test("sign out one by one, and nobody else becomes the one who acts; or all at once", async () => {
      const browser = new CookieBrowser(baseUrl());
      const [first, second, third] = [await joined(browser), await joined(browser), await joined(browser)];
      const copy = browser.clone();
      expect((await browser.ask("DELETE", `/auth/accounts/${third.id}`)).status).toBe(200);
      expect(await whoActs(browser)).toBe("unauthenticated");
      expect((await accountsOf(browser)).map(({ id }) => id)).toEqual([first.id, second.id]);
      expect((await accountsOf(copy)).map(({ id }) => id)).toEqual([first.id, second.id]);
      expect((await browser.ask("DELETE", "/auth/accounts")).status).toBe(200);
      expect([...browser.cookies]).toEqual([]);
      expect(await accountsOf(copy)).toEqual([]);
    });

    test("cannot act for, refresh, end or show one another, however the cookies are mixed", async () => {
      const browser = new CookieBrowser(baseUrl());
      const [first, second] = [await joined(browser), await joined(browser)];
      const tokenOf = (name: string): string => browser.cookies.get(name)?.slice(37) ?? "";
      const mixed = browser.clone();
      mixed.cookies.set("__Host-session-0", `${first.id}.${tokenOf("__Host-session-1")}`);
      mixed.cookies.set("__Host-refresh-0", `${first.id}.${tokenOf("__Host-refresh-1")}`);
      expect(await whoActs(mixed, first.id)).toBe("invalid_token");
      const asFirst = { "x-account-id": first.id };
      expect((await mixed.post("/auth/refresh", {}, asFirst)).body.details?.reason).toBe("refresh_token_invalid");
      expect((await mixed.post("/auth/accounts/switch", { userId: first.id })).status).toBe(401);
      expect((await accountsOf(mixed)).map(({ id }) => id)).toEqual([second.id]);
      await mixed.clone().ask("DELETE", `/auth/accounts/${first.id}`);
      expect((await accountsOf(browser)).map(({ id }) => id)).toEqual([first.id, second.id]);
    });

    test("are five at most, refused before anything is done; a new sign-in takes its account's place and ends the old one", async () => {
      const browser = new CookieBrowser(baseUrl());
      const all: Person[] = [];
      for (let i = 0; i < 5; i++) all.push(await joined(browser));
      const sixth = { ...newcomer(), cookies: true };
      expect((await browser.post("/auth/register", sixth)).body.details?.reason).toBe("too_many_accounts");
      expect((await new CookieBrowser(baseUrl()).post("/auth/login", sixth)).status).toBe(401);

      const [first, second] = all as [Person, Person];
      const before = browser.clone();
      await browser.ask("DELETE", `/auth/accounts/${first.id}`);
      expect((await browser.post("/auth/login", { email: second.email, password, cookies: true })).status).toBe(200);
      expect(await accountsOf(browser)).toHaveLength(4);
      expect((await before.post("/auth/refresh", {}, { "x-account-id": second.id })).status).toBe(401);
      expect(await whoActs(browser)).toBe(second.id);
    });

    test("have five places: one of them is its own account's, or that of an account whose sign-in is over", async () => {
      const browser = new CookieBrowser(baseUrl());
      const all: Person[] = [];
      for (let i = 0; i < 5; i++) all.push(await joined(browser));
      const [first, second] = all as [Person, Person];
      const logIn = ({ email }: { email: string }): ReturnType<CookieBrowser["post"]> =>
        browser.post("/auth/login", { email, password, cookies: true });
      // All five are signed in: one of them may sign in anew, and nobody else; what was begun is ended.
      expect((await logIn(second)).status).toBe(200);
      expect(await whoActs(browser)).toBe(second.id);
      const other = new CookieBrowser(baseUrl());
      const stranger = await joined(other);
      expect((await logIn(stranger)).body.details?.reason).toBe("too_many_accounts");
      expect((await other.ask("GET", "/auth/sessions")).body.sessions).toHaveLength(1);
      // One that signed out elsewhere makes room, for a newcomer too.
      for (const gone of [first, second]) {
        const elsewhere = new CookieBrowser(baseUrl());
        await elsewhere.post("/auth/login", { email: gone.email, password, cookies: true });
        expect((await elsewhere.post("/auth/logout", { everywhere: true })).status).toBe(200);
      }
      expect((await logIn(stranger)).status).toBe(200);
      const sixth = await joined(browser);
      expect((await accountsOf(browser)).map(({ id }) => id).toSorted()).toEqual(
        [stranger, sixth, ...all.slice(2)].map(({ id }) => id).toSorted(),
      );
      expect(await whoActs(browser, stranger.id)).toBe(stranger.id);
    });
  });
}

interface Operation {
  method: string;
  path: string;
  isPublic: boolean;
}

/** Every endpoint of the app, as its description has them. */
function operations(): Operation[] {
  const description = JSON.parse(readFileSync(join(import.meta.dirname, "../../../docs/openapi.json"), "utf8")) as {
    paths: Record<string, Record<string, { security?: unknown[] }>>;
  };
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [] }]) => ({
      method: method.toUpperCase(),
      path: path.replace(/\{[^{}]+\}/g, "0193a1c0-0000-7000-8000-000000000009"),
      isPublic: security.length === 0,
    })),
  );
}

/** For an app that is asked by every endpoint. */
export function pagesOfOtherSites(baseUrl: () => string): void {
  describe("a page of another site", () => {
    const headers: [string, () => Record<string, string>][] = [
      ["a form or script of another site", () => ({ "sec-fetch-site": "cross-site", origin: "https://evil.example" })],
      ["a neighbouring subdomain", () => ({ "sec-fetch-site": "same-site" })],
      ["a browser without fetch metadata", () => ({ origin: "https://evil.example" })],
      ["a sandboxed frame", () => ({ origin: "null" })],
      ["our origin with another port", () => ({ origin: `${new URL(baseUrl()).origin}1` })],
      [
        "our origin by another protocol",
        () => ({ origin: new URL(baseUrl()).origin.replace("http:", "https:").replace(/:\d+$/, "") }),
      ],
      ["nobody who says where it comes from", () => ({})],
      ["an empty Authorization", () => ({ "sec-fetch-site": "cross-site", authorization: "" })],
    ];

    test.each(headers)("does nothing with the cookies: %s", async (_what, headersOf) => {
      const browser = new CookieBrowser(baseUrl());
      const { id } = await joined(browser);
      const refused: string[] = [];
      const all = operations();
      for (const { method, path, isPublic } of all) {
        if (isPublic && (method === "GET" || method === "HEAD") && path !== "/auth/accounts") continue;
        const answer = await browser.askWithoutKeeping(method, path, method === "GET" ? undefined : {}, headersOf());
        const what = `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`;
        // Some answer in the form of the OpenAI protocol, or of JSON-RPC.
        const { error } = answer.body as { error?: { code?: string; data?: { reason?: string } } };
        const reason = answer.body.details?.reason ?? error?.data?.reason ?? error?.code;
        // Where the form of the body is wrong it is refused before anybody is asked who sends it.
        expect(answer.status === 403 ? reason : answer.status, what).toSatisfy(
          (said) => said === "cross_site_request" || said === 400 || said === 401,
        );
        expect(answer.setCookies, what).toEqual([]);
        if (answer.status !== 400) refused.push(what);
      }
      expect(refused.length).toBeGreaterThan(30);
      expect((await accountsOf(browser)).map((account) => account.id)).toEqual([id]);
    });

    test("cannot make a browser sign in to an account of its own, by a form that has the shape of JSON", async () => {
      const person = newcomer();
      await new CookieBrowser(baseUrl()).post("/auth/register", { ...person, cookies: true });
      const login = { email: person.email, password, cookies: true };
      for (const sent of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }, {}]) {
        const form = { "content-type": "text/plain", ...(sent as Record<string, string>) };
        const answer = await new CookieBrowser(baseUrl()).askWithoutKeeping(
          "POST",
          "/auth/login",
          JSON.stringify(login),
          form,
        );
        expect(answer, JSON.stringify(sent)).toMatchObject({ status: 403, setCookies: [] });
      }
      expect((await new CookieBrowser(baseUrl()).post("/auth/login", login)).status).toBe(200);
    });
  });
}
