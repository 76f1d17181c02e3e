// The rules of alerts ask for metrics that there are: a renamed one would silence its alert.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "..");
const metrics = readFileSync(join(folder, "metrics.ts"), "utf8");
const rules = readFileSync(join(folder, "alerts.yaml"), "utf8");
const FUNCTIONS = ["histogram_quantile"];

test("every metric in an alert's expression is one that the app reports", () => {
  const expressions = rules.split("\n").filter((line) => line.trim().startsWith("expr:"));
  const named = expressions.flatMap((line) => line.split(/[^a-z_]/)).filter((word) => word.includes("_"));
  const names = [...new Set(named)]
    .filter((name) => !FUNCTIONS.includes(name))
    .map((name) => name.replace("_bucket", ""));
  expect(names).toContain("events_held");
  const isReported = (name: string): boolean => metrics.includes(`"${name}"`) || metrics.includes(`  ${name}: `);
  expect(names.filter((name) => !isReported(name))).toEqual([]);
});
