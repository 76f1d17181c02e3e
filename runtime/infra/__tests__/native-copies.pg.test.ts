// Copies of a native template: each asker's own, the next one made before it is asked for, and none left behind.
import { beforeAll, expect, test } from "vitest";
import { hostPackageRoot } from "../../host-files";
import type { ClonedDatabase } from "../copy-client";
import { runOnServer, withDatabase } from "../database-url";
import { NativeCopies } from "../native-copies";
import { cloneNative } from "../native-templates";
import { createTemplate } from "../test-databases";
import { emptyModel } from "./support";

let templateUrl = "";

beforeAll(async () => {
  templateUrl = (await createTemplate(emptyModel("app"), hostPackageRoot, process.env)).url;
});

/** Those that are on the server. */
async function onServer(copies: readonly ClonedDatabase[]): Promise<string[]> {
  const names = copies.map(({ url }) => new URL(url).pathname.slice(1));
  const sql = "select datname as name from pg_database where datname = any($1)";
  return (await runOnServer(withDatabase(templateUrl, "postgres"), sql, [names])).map(({ name }) => String(name));
}

test("who had two finds the next one made; each is its asker's own, and what nobody asked for is removed", async () => {
  const made: ClonedDatabase[] = [];
  const copies = new NativeCopies(async (url) => {
    const copy = await cloneNative(url);
    made.push(copy);
    return copy;
  });
  const first = await copies.take(templateUrl);
  expect(made).toEqual([first]);
  const second = await copies.take(templateUrl);
  await expect.poll(() => made).toHaveLength(3);
  const third = await copies.take(templateUrl);
  expect(third).toBe(made[2]);
  await runOnServer(third.url, "create table probe (n int)");
  for (const { url } of [first, second])
    await expect(runOnServer(url, "select n from probe")).rejects.toMatchObject({ code: "42P01" });
  const atOnce = await Promise.all([copies.take(templateUrl), copies.take(templateUrl)]);
  const taken = [first, second, third, ...atOnce];
  expect(new Set(taken.map(({ url }) => url)).size).toBe(5);
  await copies.stop();
  expect(made.length).toBeGreaterThan(5);
  expect(await onServer(made)).toHaveLength(5);
  await Promise.all(taken.map((copy) => copy.drop()));
});

test("one that could not be made ahead is made when it is asked for, and tells its asker why it cannot be", async () => {
  let calls = 0;
  const copies = new NativeCopies(async (url) => {
    calls++;
    if (calls === 3 || calls > 4) throw new Error(`the server is away (${calls})`);
    return cloneNative(url);
  });
  const taken = [await copies.take(templateUrl), await copies.take(templateUrl), await copies.take(templateUrl)];
  expect(calls).toBeGreaterThanOrEqual(4);
  await expect(copies.take(templateUrl)).rejects.toThrow("the server is away");
  await copies.stop();
  await Promise.all(taken.map((copy) => copy.drop()));
});
