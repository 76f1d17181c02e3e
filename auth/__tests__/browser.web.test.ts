// Cookies as a real browser treats them: whether it takes them from the started app on this machine, keeps them from scripts,
// and what a page of another site can make it send.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../../runtime/__tests__/whole-app/web/browser";
import { startApp, temporaryStateDir, type RunningApp } from "../../runtime/__tests__/whole-app/support/running-app";

const state = temporaryStateDir();
const password = "a passphrase of many words";
let app: RunningApp;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let origin: string;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(state.path), launchBrowser()]);
  origin = `http://localhost:${new URL(app.baseUrl).port}`;
  context = await browser.newContext();
  page = await context.newPage();
  await page.goto(`${origin}/docs`);
});

afterAll(async () => {
  await browser?.close();
  await app?.stop();
  state.remove();
});

interface Answer {
  status: number;
  body: Record<string, unknown> & { user: { id: string } };
}

/** What a script of the page asks, with nothing but what the browser adds. */
const ask = (on: Page, method: string, path: string, body?: unknown, accountId?: string): Promise<Answer> =>
  on.evaluate(
    async ([verb, address, sent, account]) => {
      const response = await fetch(address, {
        method: verb,
        headers: { "content-type": "application/json", ...(account === null ? {} : { "x-account-id": account }) },
        ...(sent === null ? {} : { body: sent }),
      });
      const text = await response.text();
      return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as never };
    },
    [method, origin + path, body === undefined ? null : JSON.stringify(body), accountId ?? null] as const,
  );

const register = (email: string): Promise<Answer> =>
  ask(page, "POST", "/auth/register", { email, password, organisation: "Acme", cookies: true });

test("a browser signs in to two accounts, which its scripts cannot see, and its tabs refresh at once", async () => {
  const [ada, charles] = [await register("ada@example.com"), await register("charles@example.com")];
  expect([ada.status, charles.status]).toEqual([200, 200]);
  expect(ada.body).toMatchObject({ accessToken: "", refreshToken: "" });
  expect(await page.evaluate(() => (globalThis as never as { document: { cookie: string } }).document.cookie)).toBe("");
  const held = await context.cookies(origin);
  expect(held.map(({ name }) => name).sort()).toEqual([
    "__Host-account",
    "__Host-refresh-0",
    "__Host-refresh-1",
    "__Host-session-0",
    "__Host-session-1",
  ]);
  for (const { httpOnly, secure, sameSite, path } of held)
    expect({ httpOnly, secure, sameSite, path }).toEqual({
      httpOnly: true,
      secure: true,
      sameSite: "Strict",
      path: "/",
    });

  const me = async (accountId?: string): Promise<string> =>
    (await ask(page, "GET", "/auth/me", undefined, accountId)).body.user.id;
  expect(await me()).toBe(charles.body.user.id);
  expect(await me(ada.body.user.id)).toBe(ada.body.user.id);
  expect((await ask(page, "POST", "/auth/accounts/switch", { userId: ada.body.user.id })).status).toBe(200);
  expect(await me()).toBe(ada.body.user.id);

  const tabs = await Promise.all([1, 2, 3].map(() => context.newPage()));
  await Promise.all(tabs.map((tab) => tab.goto(`${origin}/docs`)));
  const answers = await Promise.all([page, ...tabs].map((tab) => ask(tab, "POST", "/auth/refresh", {})));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect((await ask(page, "POST", "/auth/refresh", {})).status).toBe(200);
  expect(await me()).toBe(ada.body.user.id);
});

test("a page of another site neither acts by the cookies nor signs the browser in", async () => {
  const before = await context.cookies(origin);
  const login = JSON.stringify({ email: "ada@example.com", password, cookies: true }).slice(0, -1);
  // A form whose body has the shape of JSON: what is after the name ends in a member that nobody reads.
  const form = (path: string, json: string): string =>
    `<form method="post" enctype="text/plain" action="${origin}${path}"><input name='${json},"x":"' value='"}'></form>`;
  const pages: Record<string, string> = {
    "/sign-in": form("/auth/login", login),
    "/act": form("/auth/organisations", '{"name":"Forged"'),
  };
  for (const [path, html] of Object.entries(pages)) {
    const foreign = await context.newPage();
    await foreign.route("http://127.0.0.1:9/**", (route) => route.fulfill({ contentType: "text/html", body: html }));
    await foreign.goto(`http://127.0.0.1:9${path}`);
    const [answer] = await Promise.all([
      foreign.waitForResponse((response) => response.request().method() === "POST"),
      foreign.evaluate(() =>
        (globalThis as never as { document: { forms: { submit(): void }[] } }).document.forms[0]?.submit(),
      ),
    ]);
    await foreign.close();
    expect([401, 403], path).toContain(answer.status());
  }
  expect(await context.cookies(origin)).toEqual(before);
  const { body } = await ask(page, "GET", "/auth/organisations");
  expect(body.organisations).toHaveLength(1);
});
