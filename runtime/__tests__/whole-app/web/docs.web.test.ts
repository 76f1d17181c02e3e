// The interactive documentation in a real browser: what a newcomer opens first must list everything, work
// without the internet, and be able to call the API.
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningApp, startApp, temporaryStateDir, until } from "../support/running-app";
import { launchBrowser, screenshot, watchedPage } from "./browser";

interface OpenApi {
  paths: Record<string, Record<string, unknown>>;
}

interface Session {
  accessToken: string;
}

const state = temporaryStateDir();
let app: RunningApp;
let browser: Browser;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(state.path), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await app?.stop();
  state.remove();
});

async function json<T>(path: string, init: { method?: string; body?: unknown; token?: string } = {}): Promise<T> {
  const response = await fetch(app.baseUrl + path, {
    method: init.method ?? "GET",
    headers: {
      "content-type": "application/json",
      ...(init.token === undefined ? {} : { authorization: `Bearer ${init.token}` }),
    },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

async function operations(): Promise<string[]> {
  const { paths } = await json<OpenApi>("/docs/openapi.json");
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

const normalised = (text: string): string => text.replace(/[\s\u200b]+/g, "");

/** Method and path of the operations that the page has drawn, read in one go: it redraws while it moves. */
const drawn = `Array.from(document.querySelectorAll(".opblock"), (block) =>
  [".opblock-summary-method", ".opblock-summary-path"].map((part) => block.querySelector(part).textContent))`;

const inView = async (page: Page): Promise<string[]> =>
  (await page.evaluate<string[][]>(drawn)).map((parts) => parts.map(normalised).join(" "));

/** Moves the page on, waits until it has drawn what came into view, and answers whether there was more. */
const moveOn = `new Promise((done) => {
  const before = scrollY;
  scrollBy(0, innerHeight / 2);
  requestAnimationFrame(() => requestAnimationFrame(() => done(scrollY > before)));
})`;

/**
 * Goes down the page until `enough` says so or it ends. With many operations the page draws those in view alone
 * (Swagger UI's "operations-virtual"), so that what is further down is not there before one goes there.
 */
async function scrollDown(page: Page, enough: () => Promise<boolean>): Promise<void> {
  await page.locator(".opblock").first().waitFor();
  await page.evaluate("scrollTo(0, 0)");
  while (!(await enough()) && (await page.evaluate<boolean>(moveOn)));
}

async function listed(page: Page): Promise<string[]> {
  const seen = new Set<string>();
  await scrollDown(page, async () => {
    for (const operation of await inView(page)) seen.add(operation);
    return false;
  });
  return [...seen];
}

/** The operation, brought into view. */
async function operation(page: Page, method: string, path: string): Promise<Locator> {
  const block = page.locator(`.opblock-${method}`, {
    has: page.locator(`.opblock-summary-path[data-path="${path}"]`),
  });
  await scrollDown(page, async () => (await block.count()) === 1);
  return block;
}

/** Opens an operation, fills its fields, executes it and returns status and body as the page shows them. */
async function tryOut(block: Locator, fields: Record<string, string> = {}): Promise<{ status: string; body: string }> {
  await block.locator(".opblock-summary-control").click();
  await block.getByRole("button", { name: "Try it out" }).click();
  for (const [name, value] of Object.entries(fields))
    await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  await block.getByRole("button", { name: "Execute" }).click();
  const response = block.locator(".live-responses-table .response");
  await response.waitFor();
  return {
    status: (await response.locator(".response-col_status").innerText()).trim(),
    body: await response.locator(".response-col_description").innerText(),
  };
}

async function searchableDocument(token: string, text: string): Promise<void> {
  const { id } = await json<{ id: string }>("/vectors/documents", {
    method: "POST",
    token,
    body: { source: "web.md", text },
  });
  await until(
    "the document is searchable",
    async () => (await json<{ status: string }>(`/vectors/documents/${id}`, { token })).status === "ready",
  );
}

describe("/docs in a browser", () => {
  test("lists every endpoint, calls one, and needs nothing from elsewhere", async () => {
    const { page, complaints, foreignRequests } = await watchedPage(browser, app.baseUrl);
    await page.goto(`${app.baseUrl}/docs`);
    expect((await listed(page)).sort()).toEqual((await operations()).sort());
    const answer = await tryOut(await operation(page, "get", "/livez"));
    expect(answer.status).toBe("200");
    await screenshot(page, "docs");
    expect(complaints).toEqual([]);
    expect(foreignRequests).toEqual([]);
    await page.close();
  });

  test("searches with a token that was pasted into Authorize", async () => {
    const { accessToken } = await json<Session>("/auth/register", {
      method: "POST",
      body: { email: "reader@example.com", password: "a long enough passphrase", organisation: "Readers" },
    });
    await searchableDocument(accessToken, "Passwords are hashed with argon2id before they are stored.");
    const { page, complaints, foreignRequests } = await watchedPage(browser, app.baseUrl);
    await page.goto(`${app.baseUrl}/docs`);
    await page.getByRole("button", { name: "Authorize" }).click();
    await page.locator(".auth-container input").first().fill(accessToken);
    await page.locator(".auth-btn-wrapper .authorize").first().click();
    await page.getByRole("button", { name: "Close", exact: true }).click();
    const answer = await tryOut(await operation(page, "get", "/vectors/search"), {
      q: "how are credentials protected?",
    });
    expect(answer.status).toBe("200");
    expect(answer.body).toContain("argon2id");
    await screenshot(page, "search");
    expect(complaints).toEqual([]);
    expect(foreignRequests).toEqual([]);
    await page.close();
  });
});
