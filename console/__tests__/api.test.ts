// The page and what it asks for: who gets which, and what the page may do.
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { console as app } from "~encore/clients";
import { flags } from "../../config";
import { newId } from "../../db/ids";
import { isReported, observeGauge } from "../../telemetry/metrics";
import { consolePageHeaders } from "../../security/headers";
import { reasonOf } from "../../security/errors";
import { createCaller } from "../../testing";
import { builtFiles } from "../../generated/console/files";
import { signalLog, thisProcess } from "../signals";
import { page, pageAsset } from "../api";

const operator = (scope: string): never =>
  ({ authData: { userID: newId(), kind: "operator", sessionId: newId(), scope } }) as never;

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** Calls a raw endpoint's handler and collects what it wrote. */
async function get(handler: (req: IncomingMessage, resp: ServerResponse) => unknown, url: string): Promise<Answer> {
  const answer: Answer = { status: 0, headers: {}, body: "" };
  const resp = {
    statusCode: 0,
    setHeader: (name: string, value: unknown) => void (answer.headers[name] = value),
    end: (body: Buffer) => void (answer.body = String(body)),
  };
  await handler({ url, headers: {} } as unknown as IncomingMessage, resp as unknown as ServerResponse);
  return { ...answer, status: resp.statusCode };
}

const undo: (() => void)[] = [];
const realNow = performance.now.bind(performance);
let laterMs = 0;
/** Past the moment for which a look is kept. */
function moveOn(): void {
  laterMs += 10_000;
  const shift = laterMs;
  vi.spyOn(performance, "now").mockImplementation(() => realNow() + shift);
}

afterEach(() => {
  vi.restoreAllMocks();
  for (const step of undo.splice(0)) step();
});

describe("the page", () => {
  test("is whole in the program, by names that change with what is in them, and runs no script but its own", async () => {
    const { status, headers, body } = await get(page, "/console");
    expect([status, headers["cache-control"]]).toEqual([200, "no-cache"]);
    expect(headers["content-security-policy"]).toBe(consolePageHeaders["content-security-policy"]);
    expect(consolePageHeaders["content-security-policy"]).toMatch(
      /script-src 'self'; style-src 'self';.*require-trusted-types-for 'script'/,
    );
    expect(body).not.toMatch(/<script(?![^>]* src="\/console\/)|<style|\son\w+=|style=|https?:/);
    const names = [...body.matchAll(/(?:src|href)="\/console\/([^"]+)"/g)].map(([, name = ""]) => name);
    expect(names).toHaveLength(3);
    for (const name of names) {
      const asset = await get(pageAsset, `/console/${name}`);
      expect([asset.status, asset.headers["cache-control"]]).toEqual([200, "public, max-age=31536000, immutable"]);
      expect(asset.body.length, name).toBeGreaterThan(100);
    }
  });

  test.each(["package.json", "../package.json", "..%2fpackage.json", "constructor", "__proto__", "index", "assets/"])(
    "has no %s",
    async (name) => {
      const refused = get(pageAsset, `/console/${name}`).catch((error: unknown) => reasonOf(error));
      expect(await refused).toBe("console_page_not_found");
    },
  );

  test("is not there where its flag is off", async () => {
    undo.push(flags.overrideRemotely((name) => (name === "consolePage" ? false : undefined)));
    const refused = get(page, "/console").catch((error: unknown) => reasonOf(error));
    expect(await refused).toBe("console_page_not_found");
  });

  test("names no other origin, and makes no markup of text", () => {
    for (const [name, text] of Object.entries(builtFiles)) {
      const addresses = [...text.matchAll(/https?:\/\/[^\s"'`)]+/g)].map(([address]) => address);
      expect(
        addresses.filter((address) => !address.startsWith("http://www.w3.org/")),
        name,
      ).toEqual([]);
      expect(text, name).not.toMatch(/\beval\(|new Function\(/);
    }
  });
});

describe("what the page asks for", () => {
  test.each<[string, (caller: never) => Promise<unknown>]>([
    ["overview", (caller) => app.overview(caller)],
    ["signals", (caller) => app.signals({}, caller)],
  ])("%s is for staff who hold the permission, and for nobody else", async (_name, ask) => {
    await expect(ask(operator("operator.system.read"))).resolves.toBeDefined();
    const denied = expect.objectContaining({ code: "permission_denied" }) as unknown;
    await expect(ask(operator("operator.audit.read"))).rejects.toEqual(denied);
    await expect(ask(createCaller("owner") as never)).rejects.toEqual(denied);
    await expect(ask(undefined as never)).rejects.toEqual(expect.objectContaining({ code: "unauthenticated" }));
  });

  test("the overview says what is wrong and how much waits, as the metrics have it", async () => {
    moveOn();
    const before = await app.overview(operator("operator.system.read"));
    moveOn();
    undo.push(observeGauge("dead_letters", () => [{ value: 3, labels: { source: "overview-test" } }]));
    const { problems, deadLetters } = await app.overview(operator("operator.system.read"));
    expect(problems).toContainEqual(
      expect.objectContaining({ severity: "warning", title: "3 dead letters of overview-test", view: "dead-letters" }),
    );
    expect(deadLetters).toBe((before.deadLetters ?? 0) + 3);
    moveOn();
    undo.push(observeGauge("outbox_depth", () => Promise.reject(new Error("away"))));
    expect(await app.overview(operator("operator.system.read"))).toMatchObject({ outboxRows: null });
  });

  test("of what no part of this process reports the overview says that it is not known, and not nought", async () => {
    const figures = { outbox_depth: "outboxRows", queue_depth: "jobsWaiting", sagas_open: "sagasOpen" } as const;
    const absent = (["outbox_depth", "queue_depth", "sagas_open"] as const).filter((name) => !isReported(name));
    expect(absent).not.toEqual([]);
    moveOn();
    const overview = await app.overview(operator("operator.system.read"));
    const said = overview.problems.find(({ title }) => title === "This process knows a part of it alone")?.detail;
    for (const name of absent) {
      expect(overview[figures[name]], name).toBeNull();
      expect(said).toContain(name);
    }
    const stop = observeGauge("queue_depth", () => [{ value: 4, labels: { queue: "a", state: "delayed" } }]);
    moveOn();
    expect(await app.overview(operator("operator.system.read"))).toMatchObject({ jobsDelayed: 4 });
    expect(isReported("queue_depth")).toBe(true);
    stop();
    expect(isReported("queue_depth")).toBe(!absent.includes("queue_depth"));
  });

  test("however many look at once and in the moment after, the sources are asked once", async () => {
    const ask = () => app.overview(operator("operator.system.read"));
    moveOn();
    // Where this process has sagas of others.
    const others = (await ask()).sagasOpen ?? 0;
    moveOn();
    const source = vi.fn(() => [{ value: 7, labels: { state: "running" } }]);
    undo.push(observeGauge("sagas_open", source));
    const [first] = await Promise.all([ask(), ask(), ask()]);
    expect([(await ask()).sagasOpen, first.sagasOpen, source.mock.calls.length]).toEqual([
      ...[others + 7, others + 7],
      1,
    ]);
    moveOn();
    await ask();
    expect(source).toHaveBeenCalledTimes(2);
  });

  test("signals say whose they are, and only a number of that process leaves points out", async () => {
    for (const atMs of [3_000, 1_000])
      signalLog.add({ atMs, requestsPerSecond: 1, failuresPerSecond: 0, p50Ms: null, p95Ms: 5 });
    const ask = (query: object) => app.signals(query, operator("operator.system.read"));
    const all = await ask({});
    expect(all.process).toEqual(thisProcess);
    const number = all.points.at(-2)?.number ?? NaN;
    const after = await ask({ after: number, process: all.process.id });
    expect(after.points).toEqual([expect.objectContaining({ number: number + 1, atMs: 1_000, p95Ms: 5 })]);
    expect((await ask({ after: number, process: newId() })).points).toEqual(all.points);
  });
});
