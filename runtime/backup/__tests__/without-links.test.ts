// On a file system that knows no second name of a file a backup gets its name all the same, and replaces nothing either.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { removeFolders, temporaryFolder } from "../../infra/__tests__/support";
import { ArchiveWriter } from "../archive-writer";

vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  link: () => Promise.reject(Object.assign(new Error("operation not permitted"), { code: "EPERM" })),
}));

afterAll(removeFolders);

it("gets its name by taking it first", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "b.tar.gz");
  const archive = new ArchiveWriter(file);
  await archive.add("one", Buffer.from("x"));
  await archive.finish();
  expect(readdirSync(folder)).toEqual(["b.tar.gz"]);
  expect(statSync(file).size).toBeGreaterThan(0);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it("does not replace a file that came meanwhile", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "b.tar.gz");
  const archive = new ArchiveWriter(file);
  await archive.add("one", Buffer.from("x"));
  writeFileSync(file, "mine");
  await expect(archive.finish()).rejects.toThrow(/has come into being meanwhile/);
  await archive.abandon();
  expect(readdirSync(folder)).toEqual(["b.tar.gz"]);
  expect(readFileSync(file, "utf8")).toBe("mine");
});
