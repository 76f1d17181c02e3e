import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { flagRegistry } from "../flags";
import { variables } from "../schema";

const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
const rowsBelow = (heading: string): (string | undefined)[] => {
  const section = readme.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map((row) => row[1]);
};

test("the README lists exactly the variables there are", () => {
  expect(rowsBelow("Variables")).toEqual(Object.keys(variables));
});

test("the README lists exactly the flags there are", () => {
  expect(rowsBelow("Flags")).toEqual(Object.keys(flagRegistry));
});
