// An app that says which tags its endpoints may carry gets a misspelled one refused at its place, with what was meant;
// an app that says nothing may use any, as with Encore.
import { afterAll, expect, test } from "vitest";
import { parseApp } from "..";
import { formatParseError } from "../errors";
import { Scratch } from "./case-app";

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const endpoint = (tags: string): string =>
  `import { api } from "encore.dev/api";\n\nexport const ep = api({ expose: true, tags: ${tags} }, async (): Promise<void> => {});\n`;

function errorsOf(tags: string, settings: object, list = `["can:document.read", "public:*", "self"]`): string[] {
  const root = scratch.fromFiles({
    "svc/api.ts": endpoint(tags),
    "package.json": JSON.stringify({
      name: "case",
      type: "module",
      dependencies: { "encore.dev": "1.58.6" },
      ...settings,
    }),
    "tags.json": list,
  });
  const result = parseApp(root);
  return result.ok ? [] : result.errors.map(formatParseError);
}

const closed = { groundwork: { endpointTags: "tags.json" } };

test("a tag that is not on the list is refused, and the nearest one is named", () => {
  expect(errorsOf(`["can:document.raed"]`, closed)).toEqual([
    expect.stringMatching(
      /^svc\/api\.ts:3:19: unknown tag "can:document\.raed" on ep\n {2}Did you mean "can:document\.read"\? The tags of this app stand in tags\.json/,
    ),
  ]);
  expect(errorsOf(`["self", "anything.else"]`, closed)[0]).toMatch(/unknown tag "anything\.else" on ep\n {2}The tags/);
});

test("tags on the list and those behind a star pass, and without a list any tag does", () => {
  expect(errorsOf(`["can:document.read", "public:a good reason"]`, closed)).toEqual([]);
  expect(errorsOf(`["can:document.raed"]`, {})).toEqual([]);
});

test.each([["not json"], [`{"a": 1}`], ["[1]"]])("a list that is none is refused by name: %s", (list) => {
  expect(errorsOf(`["self"]`, closed, list)).toEqual([
    expect.stringMatching(/endpointTags does not name a JSON file with a list of tags\n {2}It is "tags\.json"/),
  ]);
});
