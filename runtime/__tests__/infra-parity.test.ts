// The recorded answers of the official runtime 1.58.6 for topics, caches, buckets, metadata, logs and metrics,
// held against this host. SQL's part of the kit has a test of its own.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startApp, type AppProcess } from "../http/__tests__/support/app-process";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../infra";
import { parseApp } from "../parse";
import { loadSecrets } from "../secrets";
import { cases, differences, kit, normalise, recorded, type Answer, type Case } from "./infra-cases";
import { exceptions, races } from "./infra-exceptions";

const appDir = join(kit, "app");
const QUIET_MS = 60;

let app: AppProcess;
let clone: ClonedDatabase | undefined;

async function startKitApp(): Promise<void> {
  const parsed = parseApp(appDir);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const database = parsed.model.databases[0];
  if (!database) throw new Error("the kit's app has a database");
  clone = await cloneDatabase(await createTemplate(database, appDir, process.env));
  const secrets = loadSecrets(appDir, "", {}, ["Set", "Multi", "Unset"]);
  app = await startApp(appDir, {
    config: { databases: { [database.name]: { url: clone.url } }, secrets, build: { revision: "", uncommittedChanges: true } },
    env: { GROUNDWORK_CRONS: "off", ENCORE_RUNTIME_LOG: "info" },
  });
}

beforeAll(startKitApp, 120_000);
afterAll(async () => {
  await app.stop();
  await clone?.drop();
});

async function send({ id, request }: Case): Promise<Answer> {
  const { method, path, headers = {}, body } = request;
  const response = await fetch(`http://127.0.0.1:${app.port}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = text.startsWith("{") || text.startsWith("[");
  return { id, status: response.status, body: normalise(isJson ? (JSON.parse(text) as unknown) : { text }) };
}

/** Resolves when no line was written for a moment. */
async function logIsQuiet(): Promise<number> {
  for (;;) {
    const before = app.log().length;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    if (app.log().length === before) return before;
  }
}

async function sendWithLogs(one: Case): Promise<Answer> {
  const from = await logIsQuiet();
  const answer = await send(one);
  const to = await logIsQuiet();
  const lines = app.log().slice(from, to).split("\n").filter((line) => line.startsWith("{"));
  return { ...answer, logs: lines.map((line) => normalise(JSON.parse(line))) };
}

function expectSame(got: Answer): void {
  const { logs, ...rest } = recorded.get(got.id) ?? { id: got.id, status: 0, body: null };
  const expected = { ...rest, body: normalise(rest.body), ...(got.logs ? { logs: logs?.map((line) => normalise(line)) } : {}) };
  const different = differences(expected, got).filter((path) => !races[got.id]?.test(path));
  const exception = exceptions[got.id];
  if (!exception) return expect(different.length ? got : expected).toEqual(expected);
  expect(different.filter((path) => !exception.paths.test(path)), exception.reason).toEqual([]);
  expect(different.length, `${got.id} needs no exception any more`).toBeGreaterThan(0);
}

const groupOf = (one: Case): string => one.id.split(".")[0] ?? "";

/** These wait for deliveries or for keys to end; they do not touch each other's keys, so they wait together. */
const patient = (one: Case): boolean => (groupOf(one) === "bus" && !one.logs) || one.id.startsWith("cache.expiry");

describe("cases that take time", () => {
  const answers = new Map<string, Promise<Answer>>();
  beforeAll(() => {
    for (const one of cases.filter(patient)) answers.set(one.id, send(one));
  });
  it.each(cases.filter(patient).map((one) => one.id))("%s", async (id) => {
    const answer = await answers.get(id);
    if (answer) expectSame(answer);
  });
});

describe.each(["cache", "bucket", "meta", "decimal"])("%s", (group) => {
  const own = cases.filter((one) => groupOf(one) === group && !patient(one));
  it.each(own.map((one) => [one.id, one] as const))("%s", async (_, one) => expectSame(one.logs ? await sendWithLogs(one) : await send(one)));
});

describe("log lines of deliveries", () => {
  const own = cases.filter((one) => groupOf(one) === "bus" && one.logs);
  it.each(own.map((one) => [one.id, one] as const))("%s", async (_, one) => {
    const answer = await sendWithLogs(one);
    expectSame({ ...answer, logs: answer.logs?.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) });
  });
});

describe("the list of exceptions", () => {
  it("names only cases of the kit, fewer than one in twenty of those that are held here", () => {
    const held = cases.filter((one) => groupOf(one) !== "sql").map((one) => one.id);
    expect(Object.keys(exceptions).filter((id) => !held.includes(id))).toEqual([]);
  });
});
