// What staff do in the console, in a real browser, beginning at the link that the start prints.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtFiles } from "../../generated/console/files";
import { commandsBeside } from "../../runtime/__tests__/whole-app/support/commands-beside";
import { startApp, temporaryStateDir, type RunningApp } from "../../runtime/__tests__/whole-app/support/running-app";
import {
  launchBrowser,
  screenshot,
  watchedPage,
  type WatchedPage,
} from "../../runtime/__tests__/whole-app/web/browser";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BUNDLE_BYTES_MAX = 300_000;
const FIRST_PAINT_MS_MAX = 1_000;

const state = temporaryStateDir();
let app: RunningApp;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(state.path, { LIMIT_SCALE: "1000" }), launchBrowser()]);
  origin = `http://localhost:${new URL(app.baseUrl).port}`;
});

afterAll(async () => {
  await browser?.close();
  await app?.stop();
  state.remove();
});

const makeLink = async (): Promise<string> =>
  /\/console#gwl_[\w-]{43}/.exec(await commandsBeside(state.path).admin("operator", "link"))?.[0] ?? "";

/** A page that is signed in by a link of its own. */
async function signedIn(options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const watched = await watchedPage(browser, origin, options);
  await watched.page.goto(origin + (await makeLink()));
  await watched.page.getByRole("heading", { name: "Overview" }).waitFor();
  return watched;
}

/** What axe finds, a line each. Its script is put there past the page's policy, which lets none in. */
async function violations({ page }: WatchedPage): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axeSource });
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ": " + target.join(" "))))`);
}

/** An organisation with a job that failed for good, as when the embedder was away. */
async function failedJob(): Promise<{ id: string }> {
  const answer = await fetch(`${app.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.com", password: "a passphrase of many words", organisation: "Ada" }),
  });
  const { organisation } = (await answer.json()) as { organisation: { id: string } };
  await commandsBeside(state.path).sql(
    `insert into queues.dead_letter (id, tenant_id, queue, job_id, payload, headers, reason, error, attempts)
     values (gen_random_uuid(), '${organisation.id}', 'vectors:embed', gen_random_uuid(), '{"documentId": "${randomUUID()}"}', '{}',
             'attempts_exhausted', '<img src=x onerror=alert(1)> the embedder is away', 5)`,
  );
  return organisation;
}

describe("the console", () => {
  test("opens signed in by the link, which is used up, and nothing of it stays in the address", async () => {
    const link = await makeLink();
    const first = await watchedPage(browser, origin);
    await first.page.goto(origin + link);
    await first.page.getByRole("heading", { name: "What is wrong now" }).waitFor();
    expect(first.page.url()).not.toContain("gwl_");
    expect(await first.page.evaluate("document.cookie")).toBe("");
    await first.page.reload();
    await first.page.getByText("console@development.invalid").waitFor();
    // One process runs all of it, and so knows all of it.
    await first.page.getByText("waiting, 0 for later").waitFor();
    expect(await first.page.getByText("knows a part of it alone").count()).toBe(0);

    const second = await watchedPage(browser, origin);
    await second.page.goto(origin + link);
    await second.page.getByRole("alert").filter({ hasText: "the link is not valid any more" }).waitFor();
    await first.page.getByRole("button", { name: "Sign out" }).click();
    await first.page.getByRole("button", { name: "Sign in" }).waitFor();
    expect(await first.page.context().cookies()).toEqual([]);
    for (const { foreignRequests } of [first, second]) expect(foreignRequests).toEqual([]);
    expect(first.complaints).toEqual([]);
  });

  test("a link that was used lets in who is signed in anyhow, and what is wrong with one is said however often", async () => {
    const link = await makeLink();
    const { page } = await watchedPage(browser, origin);
    await page.goto(origin + link);
    await page.getByRole("heading", { name: "What is wrong now" }).waitFor();
    await page.goto("about:blank");
    await page.goto(origin + link);
    await page.getByRole("heading", { name: "What is wrong now" }).waitFor();

    const other = await watchedPage(browser, origin);
    await other.page.goto(`${origin}/console`);
    await other.page.getByRole("button", { name: "Sign in" }).waitFor();
    await other.page.goto(origin + link);
    await other.page.getByRole("alert").filter({ hasText: "the link is not valid any more" }).waitFor();
  });

  test("says so where the browser does not keep the cookie", async () => {
    const { page } = await watchedPage(browser, origin);
    await page.route("**/operator/login/link", async (route) => {
      const answer = await route.fetch();
      const { "set-cookie": _cookie, ...headers } = answer.headers();
      await route.fulfill({ response: answer, headers });
      await page.context().clearCookies();
    });
    await page.goto(origin + (await makeLink()));
    await page.getByRole("alert").filter({ hasText: "did not keep the sign-in" }).waitFor();
  });

  test("marks what is of before when the app cannot say more, and shows what everybody may ask", async () => {
    const { page } = await signedIn();
    await page.getByRole("heading", { name: "What is wrong now" }).waitFor();
    await page.route("**/console/api/overview", (route) => route.fulfill({ status: 503, body: "{}" }));
    await page
      .getByRole("alert")
      .filter({ hasText: /as of \d\d:\d\d:\d\d/ })
      .waitFor();
    await page.locator(".stale").getByRole("heading", { name: "What is wrong now" }).waitFor();
    await page.locator(".health", { hasText: "database" }).first().waitFor();
    await page.unroute("**/console/api/overview");
    await page.locator(".stale").waitFor({ state: "detached" });
  });

  test("asks by itself without using the session, and a sign-out that failed is no sign-out", async () => {
    const { page } = await signedIn();
    const [asked, polled] = await Promise.all([
      page.waitForRequest((request) => request.url().endsWith("/console/api/overview")),
      page.waitForRequest((request) => request.headers()["x-background"] === "1"),
      page.reload(),
    ]);
    expect([asked.headers()["x-background"], new URL(polled.url()).pathname]).toEqual([
      undefined,
      expect.stringMatching(/^\/console\/api\//),
    ]);
    await page.route("**/operator/logout", (route) => route.abort());
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("alert").filter({ hasText: "You are still signed in" }).waitFor();
    expect(await page.getByRole("heading", { name: "Overview" }).count()).toBe(1);
  });

  test("begins anew with the signals of another process, and says whose they are", async () => {
    const watched = await watchedPage(browser, origin);
    let host = "first";
    await watched.page.route("**/console/api/signals*", (route) => {
      const point = (number: number) => ({
        number,
        atMs: Date.now() - 10_000 * (3 - number),
        requestsPerSecond: 1,
        failuresPerSecond: 0,
      });
      const points = host === "first" ? [1, 2, 3].map(point) : [];
      return route.fulfill({ json: { process: { id: `${host}-process`, host }, points } });
    });
    await watched.page.goto(origin + (await makeLink()));
    await watched.page.getByText("at first, the last hour").waitFor();
    await watched.page.getByText("answered").waitFor();
    host = "second";
    await watched.page.getByText("at second, the last hour").waitFor();
    expect(await watched.page.getByText("answered").count()).toBe(0);
  });

  test.each<[string, BrowserContextOptions]>([
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["phone", { viewport: { width: 390, height: 844 } }],
  ])("is readable for everybody: axe finds nothing (%s)", async (name, options) => {
    const watched = await signedIn(options);
    await watched.page.getByText("answered").waitFor();
    expect(await violations(watched)).toEqual([]);
    await screenshot(watched.page, `console-overview-${name}`);
    const widths = "[document.documentElement.scrollWidth, innerWidth]";
    const [content = 0, window = 0] = await watched.page.evaluate<number[]>(widths);
    expect(content).toBeLessThanOrEqual(window);
    expect(watched.complaints).toEqual([]);
    expect(watched.foreignRequests).toEqual([]);
  });

  test("lets a person find why a job failed and redrive it, by the keyboard too, and the organisation reads it", async () => {
    const { id } = await failedJob();
    const watched = await signedIn();
    const { page } = watched;
    await page.getByText("1 dead letter of queues").waitFor();
    const begunAt = performance.now();
    await page
      .getByRole("listitem")
      .filter({ hasText: "1 dead letter of queues" })
      .getByRole("link", { name: "Look" })
      .click();
    await page.getByText("Say above what for").waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.headers()["x-operator-reason"] ?? ""));
    await page.getByLabel("What for").pressSequentially("ticket 4711: a document failed");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: `Look at vectors:embed of ${id}` }).click();
    const letter = page.getByRole("article", { name: /vectors:embed/ });
    // No word that is being typed is a look of its own.
    expect(new Set(asked.filter((reason) => reason !== ""))).toEqual(new Set(["ticket 4711: a document failed"]));
    // A hostile text is shown as it is.
    await letter.getByText("<img src=x onerror=alert(1)> the embedder is away").waitFor();
    await screenshot(page, "console-dead-letters");
    expect(await violations(watched)).toEqual([]);
    await letter.getByRole("button", { name: "Redrive" }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Redrive vectors:embed?" });
    await dialog.waitFor();
    await screenshot(page, "console-redrive");
    expect(await violations(watched)).toEqual([]);
    // Whatever is typed there is of this act alone, until it is done.
    await dialog.getByLabel("What for").fill("");
    expect(await dialog.getByRole("button", { name: "Redrive" }).isDisabled()).toBe(true);
    await page.keyboard.press("Escape");
    expect(await dialog.count()).toBe(0);
    await letter.getByRole("button", { name: "Redrive" }).click();
    await dialog.getByRole("button", { name: "Redrive" }).click();
    await page.getByText("vectors:embed was sent again.").waitFor();
    await page.getByText("Nothing is open here.").waitFor();
    expect(performance.now() - begunAt).toBeLessThan(15_000);
    const log = await commandsBeside(state.path).sql(
      `select action, actor from audit.entry where tenant_id = '${id}' and action = 'queues.dead_letter.redriven'`,
    );
    expect(log).toMatch(/queues\.dead_letter\.redriven.*operator:/);
    expect(watched.complaints).toEqual([]);
    expect(watched.foreignRequests).toEqual([]);
  });

  test("pauses a consumer and resumes it, each after asking", async () => {
    const watched = await signedIn();
    const { page } = watched;
    await page.getByRole("link", { name: "Consumers" }).click();
    await page.getByRole("button", { name: "Pause vectors" }).first().click();
    await page.getByRole("dialog").getByLabel("What for").fill("ticket 4712: the ledger is being mended");
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.getByText("ticket 4712: the ledger is being mended").waitFor();
    expect(await violations(watched)).toEqual([]);
    await page.getByRole("button", { name: "Resume vectors" }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause vectors" }).first().waitFor();
    expect(watched.complaints).toEqual([]);
  });

  test("what was asked under the session before says nothing of the one that showing again who it is has begun", async () => {
    const { page } = await signedIn();
    await page.getByRole("link", { name: "Consumers" }).click();
    await page.route("**/operator/consumers/*/pause", (route) =>
      route.fulfill({ status: 403, json: { message: "show it", details: { reason: "step_up_required" } } }),
    );
    await page.getByRole("button", { name: "Pause vectors" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("What for").fill("ticket 4713: it fails");
    await dialog.getByRole("button", { name: "Pause" }).click();
    await dialog.getByLabel("Password").fill("a passphrase of many words");
    await dialog.getByLabel("Code of your authenticator app").fill("123456");
    await page.route("**/operator/step-up", async (route) => {
      await page.route("**/operator/consumers", (poll) =>
        poll.fulfill({ status: 401, json: { message: "over", details: { reason: "invalid_token" } } }),
      );
      await page.waitForResponse((answer) => answer.status() === 401);
      await page.unroute("**/operator/consumers");
      await route.fulfill({ json: {} });
    });
    await dialog.getByRole("button", { name: "Pause" }).click();
    await page.waitForResponse((answer) => answer.url().endsWith("/operator/step-up"));
    await page.waitForResponse((answer) => answer.url().endsWith("/operator/consumers") && answer.ok());
    expect(await dialog.count()).toBe(1);
    expect(await page.getByText("Your session is over").count()).toBe(0);
  });

  test("is there at once: a small bundle, a first paint within a second", async () => {
    const bytes = Object.values(builtFiles).reduce((sum, text) => sum + gzipSync(text).length, 0);
    expect(bytes).toBeLessThan(BUNDLE_BYTES_MAX);
    const { page } = await watchedPage(browser, origin);
    await page.goto(`${origin}/console`);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    const paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity";
    expect(await page.evaluate<number>(paint)).toBeLessThan(FIRST_PAINT_MS_MAX);
  });
});
