// No request holds the event loop: the longest bodies, fields, headers, queries and paths that we know, each with little
// of the app's thread at a time. Which of them are sent besides the bodies is seeded: repeat it with GROUNDWORK_FUZZ_SEED.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Pool } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { longBodies, longFields, longHeads, type LongRequest } from "./fuzz/longest";
import { createSampler, operationsOf, type Document } from "./fuzz/openapi";
import { createRandom } from "./fuzz/random";
import { holding, PROMISED_MS, type Ran, watchdogAt } from "../../../http/__tests__/support/event-loop";
import { shownOf } from "./shown-of";
import { migratedStateDir, type RunningApp, startApp, until } from "./running-app";

/** Besides the bodies: how many of the other requests are sent. */
const CHOSEN = 30;
const seed = Number(process.env.GROUNDWORK_FUZZ_SEED ?? 20_260_803);
const WATCHDOG = join(__dirname, "watchdog.mjs");

const state = migratedStateDir();
let app: RunningApp;
let pool: Pool;
let watchdog: () => Promise<Ran>;
let token: string;

beforeAll(async () => {
  const addressFile = join(state.path, "watchdog");
  app = await startApp(state.path, {
    LIMIT_SCALE: "1000000",
    LOG_LEVEL: "error",
    DB_STATEMENT_TIMEOUT_MS: "60000",
    NODE_OPTIONS: `--import ${WATCHDOG}`,
    WATCHDOG_FILE: addressFile,
  });
  pool = new Pool(app.baseUrl, { connections: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  await until("the watchdog listens", () => existsSync(addressFile) && readFileSync(addressFile, "utf8") !== "");
  watchdog = watchdogAt(readFileSync(addressFile, "utf8"));
  const person = { email: "long@example.com", password: "a passphrase of somebody", organisation: "Long" };
  const { body } = await pool.request({ method: "POST", path: "/auth/register", body: JSON.stringify(person) });
  token = ((await body.json()) as { accessToken: string }).accessToken;
}, 120_000);

afterAll(async () => {
  await pool?.close();
  await app?.stop();
  state.remove();
});

/** The longest that any of the requests held it. */
let longestMs = 0;

/** What is wrong with the answer to a request; undefined when nothing is. */
async function complaint({ name, method, path, headers, body }: LongRequest): Promise<string | undefined> {
  let problem: string | undefined;
  const { ms, isHeld } = await holding(watchdog, async () => {
    const response = await pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: body ?? null,
    });
    const text = await shownOf(response);
    // Too many texts are read at once, or the database is busy: that is said, and asked to be tried again.
    if (response.statusCode >= 500 && response.statusCode !== 503)
      problem ??= `${name} was answered ${response.statusCode}: ${text.slice(0, 300)}`;
    if (text.length > 50_000) problem ??= `${name} was answered with ${text.length} characters`;
  });
  longestMs = Math.max(longestMs, ms);
  return problem ?? (isHeld ? `${name} held the event loop for ${Math.round(ms)} ms` : undefined);
}

/** @param all every other request as well, instead of some. Registers the test that sends them to an app of its own. */
export const holdsNoEventLoop = (all: boolean): void =>
  test(`no request holds the event loop (GROUNDWORK_FUZZ_SEED=${seed})`, async () => {
    const random = createRandom(seed);
    const root = join(__dirname, "..", "..", "..", "..");
    const document = JSON.parse(readFileSync(join(root, "docs", "openapi.json"), "utf8")) as Document;
    const sample = createSampler(document, random);
    // Ending the session would have everything after it refused at the door.
    const operations = operationsOf(document).filter(({ path }) => !path.includes("logout"));
    const bodies = operations.flatMap(longBodies);
    const others = operations.flatMap((operation) => [
      ...longHeads(operation),
      ...(operation.body === undefined ? [] : longFields(operation, sample(operation.body))),
    ]);
    expect(bodies.length).toBeGreaterThan(50);
    const chosen = all ? others : Array.from({ length: CHOSEN }, () => random.pick(others));
    const wrong: string[] = [];
    for (const request of [...bodies, ...chosen]) {
      const problem = await complaint(request);
      if (problem !== undefined) wrong.push(problem);
    }
    const figure = `${longestMs.toFixed(1)} ms (promised: ${PROMISED_MS})`;
    process.stdout.write(`no request held the event loop longer than ${figure}\n`);
    expect(wrong, `seed ${seed}`).toEqual([]);
  }, 900_000);
