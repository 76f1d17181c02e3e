// Very many values for a topic, a cache or a bucket do not hold the event loop, nor does what is beside them get out of order.
// What a cron calls is a call between services: http/__tests__/large-values.long.test.ts.
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWatchedApp, type WatchedApp } from "../http/__tests__/support/watched-app";
import { cloneDatabase, createTemplate, hostDatabase, type ClonedDatabase } from "../infra";

const appDir = join(import.meta.dirname, "fixtures/large-app");

let app: WatchedApp;
let clone: ClonedDatabase;
beforeAll(async () => {
  const model = { name: hostDatabase, nonSequential: false, migrations: [] };
  clone = await cloneDatabase(await createTemplate(model, appDir, process.env));
  app = await startWatchedApp(appDir, { config: { databases: { [hostDatabase]: { url: clone.url } } } });
});
afterAll(async () => {
  await app?.stop();
  await clone?.drop();
});

interface Heard {
  who: string;
  size: number;
  told: number;
}

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${app.port}${path}`, {
    method,
    body: body && JSON.stringify(body),
  });
  return (await response.json()) as T;
}

async function heardOf(count: number): Promise<Heard[]> {
  const all: Heard[] = [];
  while (all.length < count) all.push(...(await ask<{ heard: Heard[] }>("GET", "/taken")).heard);
  return all;
}

test("a large message, from publish to parsedPayload, and the order of the one behind it", async () => {
  // Half a megabyte. Of larger ones the Postgres driver's escaping of the text, and collecting garbage, come near the limit.
  const count = 60_000;
  const publish = async (): Promise<void> => {
    expect(await ask("POST", "/publish", { kind: "rows", count })).toEqual({ mistake: "" });
    expect(await heardOf(2)).toEqual([
      { who: "x", size: count, told: count },
      { who: "x", size: 0, told: 0 },
    ]);
  };
  await publish();
  expect(await app.held(publish)).toBeUndefined();
});

test("a large message that cannot be sent is told as a small one, and those behind it arrive", async () => {
  const mistakes = [2, 100_000].map(async (count) => ask("POST", "/publish", { kind: "wrong", count }));
  const [small, large] = await Promise.all(mistakes);
  expect(small).toEqual({ mistake: expect.stringContaining("failed to parse payload") as unknown });
  expect(large).toEqual(small);
  expect(await heardOf(2)).toEqual(Array(2).fill({ who: "x", size: 0, told: 0 }));
});

test.each([
  ["cache", "list", 100_000, 10],
  ["cache", "set", 100_000, 1],
  ["cache", "struct", 2_000_000, 2_000_000],
  ["bucket", "bytes", 4_000_000, 4_000_000],
  ["bucket", "objects", 200, 200],
])("%s: %s", async (primitive, kind, count, size) => {
  const work = async (): Promise<void> => expect(await ask("POST", `/${primitive}`, { kind, count })).toEqual({ size });
  await work();
  expect(await app.held(work)).toBeUndefined();
});
