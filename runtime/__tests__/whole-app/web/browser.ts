// Headless Chromium of the machine, and a page that keeps a record of everything it complains about or asks
// somebody else for.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export interface WatchedPage {
  page: Page;
  /** Console errors, uncaught exceptions and failed requests. */
  complaints: string[];
  /** Requests that left the application's own origin. */
  foreignRequests: string[];
}

/** Starts the browser; throws with the remedy when the machine has none. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = PLACES.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error(`no Chromium in ${PLACES.join(", ")}: run scripts/install-chromium.sh`);
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
}

/** A page of its own context that watches what happens on it. */
export async function watchedPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, ...options });
  const complaints: string[] = [];
  const foreignRequests: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) =>
    complaints.push(`failed: ${request.url()} ${request.failure()?.errorText ?? ""}`),
  );
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== origin) foreignRequests.push(request.url());
  });
  return { page, complaints, foreignRequests };
}

/** Keeps a picture of the page under .groundwork/screenshots/, for people. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = join(import.meta.dirname, "..", "..", "..", "..", ".groundwork", "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
