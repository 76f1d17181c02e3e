// Who records needs the key in its own process, which need not host the audit service.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(__dirname, "..", "..");
const isService = (folder: string): boolean => readdirSync(join(root, folder)).includes("encore.service.ts");
const sourcesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.includes("__tests__"))
    .map((file) => readFileSync(join(root, folder, file), "utf8"));

test("every service that records hands over the master key where it is declared", () => {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
    .map(({ name }) => name)
    .filter(isService);
  const recording = folders.filter((folder) => sourcesOf(folder).some((text) => /from ".*audit\/record"/.test(text)));
  expect(recording).toEqual(expect.arrayContaining(["auth", "events", "secrets", "vectors"]));
  const without = recording.filter(
    (folder) =>
      !readFileSync(join(root, folder, "encore.service.ts"), "utf8").includes(`startAudit("${folder}", masterKey)`),
  );
  expect(without).toEqual([]);
});
