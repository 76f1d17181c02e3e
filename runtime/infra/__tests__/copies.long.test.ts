// The databases of test files: copies of one template, served by one process per worker, apart from one another.
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostPackageRoot } from "../../host-files";
import { type CopyBroker, startCopyBroker } from "../copy-broker";
import { requestCopy } from "../copy-client";
import { createTemplate, type Template } from "../test-databases";
import { emptyModel } from "./support";

let template: Extract<Template, { kind: "embedded" }>;
let broker: CopyBroker;

beforeAll(async () => {
  const made = await createTemplate(emptyModel("app"), hostPackageRoot, {});
  if (made.kind !== "embedded") throw new Error("the template of the embedded database was asked for");
  template = made;
  broker = await startCopyBroker();
});

afterAll(() => broker.stop());

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test("a copy has what is written to it for all its connections; the template and the copies beside it have not", async () => {
  const one = await requestCopy(broker.path, template);
  const two = await requestCopy(broker.path, template);
  // More than a table: catalogue pages, which every copy has from the start, are what a shared one would spoil.
  const write = "CREATE TABLE probe AS SELECT generate_series(1, 1000) AS n";
  await ask(one.ownerUrl, write);
  expect(await ask(one.url, "SELECT count(*)::int AS n FROM probe")).toEqual([{ n: 1000 }]);
  await expect(ask(two.url, "SELECT n FROM probe")).rejects.toMatchObject({ code: "42P01" });
  await ask(two.ownerUrl, write);
  const three = await requestCopy(broker.path, template);
  await expect(ask(three.url, "SELECT n FROM probe")).rejects.toMatchObject({ code: "42P01" });
  await Promise.all([one.drop(), two.drop(), three.drop()]);
});

test("a copy that is dropped can no longer be reached, and a process that ended is replaced", async () => {
  const one = await requestCopy(broker.path, template);
  const two = await requestCopy(broker.path, template);
  await ask(one.url, "SELECT 1");
  await one.drop();
  await expect
    .poll(() =>
      ask(one.url, "SELECT 1").then(
        () => "reached",
        () => "gone",
      ),
    )
    .toBe("gone");
  expect(await ask(two.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);

  broker.kill();
  await expect(ask(two.url, "SELECT 1")).rejects.toThrow();
  const next = await requestCopy(broker.path, template);
  expect(await ask(next.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
});

test("a database of another name, and one whose template is gone, are refused in words", async () => {
  const copy = await requestCopy(broker.path, template);
  await expect(ask(copy.url.replace("/app?", "/other?"), "SELECT 1")).rejects.toThrow('"other" does not exist');
  const gone = await requestCopy(broker.path, { ...template, dir: `${template.dir}-gone` });
  await expect(ask(gone.url, "SELECT 1")).rejects.toThrow('"app" could not be opened: ENOENT');
});
