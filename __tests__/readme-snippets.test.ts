// What the READMEs show, runs: every block marked "ts run" is executed as a module of its own, with its
// imports as from a folder beside the shown one (`../config`). A snippet proves itself with node:assert. Those of
// CONTRIBUTING.md are test files (`../../testing`): what they declare are tests of this one.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const workFolder = join(root, ".groundwork", "snippets");

interface Snippet {
  name: string;
  code: string;
}

/** Folders of the app with a README, business services included. */
function readmes(): string[] {
  const below = (parent: string): string[] =>
    existsSync(join(root, parent))
      ? readdirSync(join(root, parent), { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => join(parent, entry.name))
      : [];
  const hidden = /(?:^|\/)(?:\.|node_modules|dist|encore\.gen|coverage)/;
  return [...below("."), ...below("services")].filter(
    (folder) => !hidden.test(folder) && existsSync(join(root, folder, "README.md")),
  );
}

function snippetsIn(document: string, name: string): Snippet[] {
  const markdown = readFileSync(join(root, document), "utf8");
  const blocks = [...markdown.matchAll(/^```ts run\n(.*?)^```$/gms)];
  return blocks.map((block, i) => ({ name: `${name}-${i + 1}`, code: block[1] ?? "" }));
}

const snippetsOf = (folder: string): Snippet[] => snippetsIn(join(folder, "README.md"), folder.replaceAll("/", "-"));

/** Imports of the app become absolute, because the snippet runs from elsewhere. */
function placed(code: string): string {
  return code.replace(
    /(\bfrom\s+|\bimport\(\s*)"(?:\.\.\/)+([^"]+)"/g,
    (_match, keyword: string, path: string) => `${keyword}${JSON.stringify(join(root, path))}`,
  );
}

async function run({ name, code }: Snippet): Promise<void> {
  mkdirSync(workFolder, { recursive: true });
  const file = join(workFolder, `${name}.ts`);
  writeFileSync(file, placed(code));
  await import(pathToFileURL(file).href);
}

describe("READMEs", () => {
  const snippets = readmes().flatMap(snippetsOf);

  test("of the libraries show how they are used", () => {
    for (const folder of ["config", "security", "telemetry"])
      expect({ folder, shown: snippetsOf(folder).length > 0 }).toEqual({ folder, shown: true });
  });

  test.each(snippets.map((snippet) => [snippet.name, snippet] as const))(
    "%s runs as it stands",
    async (_name, snippet) => {
      await run(snippet);
    },
  );
});

const contributing = snippetsIn("CONTRIBUTING.md", "contributing");

test("CONTRIBUTING.md shows a test", () => expect(contributing.length).toBeGreaterThan(0));

describe.each(contributing)("$name passes as it stands", async (snippet) => run(snippet));
