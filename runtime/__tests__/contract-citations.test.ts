// Comments and tests cite the contract by rule (`H-30`): each rule they name stands in CONTRACT.md.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const runtime = join(import.meta.dirname, "..");
const contract = readFileSync(join(runtime, "CONTRACT.md"), "utf8");
const rules = new Set([...contract.matchAll(/`([A-Z]-\d+)`/g)].map((match) => match[1] ?? ""));
const families = new Set([...rules].map((rule) => rule.slice(0, 1)));

/** Rules that a text names and the contract does not have. Names of other standards (P-256, SHA-256) are no rules. */
function unknownRules(text: string): string[] {
  return [...text.matchAll(/\b([A-Z])-(\d{1,3})\b/g)]
    .filter(([, family, number]) => families.has(family ?? "") && Number(number) < 200)
    .map(([rule]) => rule)
    .filter((rule) => !rules.has(rule));
}

test("every rule that a source cites is in CONTRACT.md", () => {
  const sources = readdirSync(runtime, { recursive: true, encoding: "utf8" }).filter(
    (file) => /\.(?:ts|md)$/.test(file) && !/fixtures|parity\/|CONTRACT\.md|contract-citations/.test(file),
  );
  const texts = sources.map((file) => ({ file, text: readFileSync(join(runtime, file), "utf8") }));
  expect(texts.filter(({ text }) => /\bH-\d+\b/.test(text)).length).toBeGreaterThan(10);
  expect(texts.flatMap(({ file, text }) => unknownRules(text).map((rule) => `${file} cites ${rule}`))).toEqual([]);
});

test("a rule that does not exist is noticed", () => {
  expect(unknownRules("as H-1 and H-199 say, with SHA-256 and P-256")).toEqual(["H-199"]);
});
