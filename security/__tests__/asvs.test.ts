import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");

test("every place that docs/asvs.md names is there", () => {
  const page = readFileSync(join(root, "docs", "asvs.md"), "utf8");
  const places = [...page.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|sql|md)|encore\.app)`/g)].map(
    (match) => match[1] ?? "",
  );
  expect(places.length).toBeGreaterThan(40);
  expect(places.filter((place) => !existsSync(join(root, place)))).toEqual([]);
});
