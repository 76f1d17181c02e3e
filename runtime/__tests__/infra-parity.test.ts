// The recorded answers of the official runtime 1.58.6 for topics, caches, buckets, metadata, logs and metrics,
// held against this host. SQL's part of the kit has a test of its own.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppProcess } from "../http/__tests__/support/app-process";
import { cases as recorded, normalise, type Answer, type Case } from "./infra-cases";
import { exceptions } from "./infra-exceptions";
import { expectSame as expectSameBut, groupOf, send as sendTo, startKitApp } from "./infra-kit-app";

const QUIET_MS = 120;
/** They only wait, for the last of several deliveries: where a native server is (`npm run test:pg`) there is time for it. */
const LONG = ["bus.drop_after_max_retries", "bus.bad_payload.logs"];
const isShort = process.env.GROUNDWORK_TEST_POSTGRES_URL === undefined;
const cases = recorded.filter(({ id }) => !isShort || !LONG.includes(id));

let app: AppProcess;
beforeAll(async () => {
  app = await startKitApp();
});
afterAll(() => app.stop());

const send = (one: Case): Promise<Answer> => sendTo(app, one);
const expectSame = (got: Answer): void => expectSameBut(got, exceptions);

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
  const lines = app
    .log()
    .slice(from, to)
    .split("\n")
    .filter((line) => line.startsWith("{"));
  return { ...answer, logs: lines.map((line) => normalise(JSON.parse(line))) };
}

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
  it.each(own.map((one) => [one.id, one] as const))("%s", async (_, one) =>
    expectSame(one.logs ? await sendWithLogs(one) : await send(one)),
  );
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
    const held = recorded.filter((one) => groupOf(one) !== "sql").map((one) => one.id);
    expect(Object.keys(exceptions).filter((id) => !held.includes(id))).toEqual([]);
  });
});
