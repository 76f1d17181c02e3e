// `npm run gen`: everything that follows from the sources and is committed, written anew: the known tags, the contracts
// of events, the API's description, the page of permissions, the README's map, the page of errors. Run it after a new
// endpoint, event, permission or error; the tests that hold these files name this command.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { knownTags } from "../architecture/known-tags";
import { loadProject } from "../architecture/project";
import { emissionsOfDeprecated } from "../architecture/rules/deprecated-events";
import { roomGraph, toMermaid } from "../architecture/room-graph";
import { renderPermissions, type EndpointsModel } from "./permissions-page";

const root = process.cwd();

/** Runs one step as a process of its own; its output is shown only when it fails. */
function run(what: string, args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (status !== 0) {
    process.stderr.write(`${stdout}${stderr}\n✗ ${what} could not be written: see above\n`);
    process.exit(1);
  }
  console.log(`✓ ${what}`);
}

function write(path: string, text: string): void {
  writeFileSync(join(root, path), text);
  console.log(`✓ ${path}`);
}

const read = (path: string): string => readFileSync(join(root, path), "utf8");

const project = loadProject(root);
// First: the app does not parse while one of its endpoints has a tag that is not on this list.
write("security/endpoint-tags.json", `${JSON.stringify(knownTags(project), null, 2)}\n`);
for (const { file, line, name, until } of emissionsOfDeprecated(project))
  console.warn(`! ${file}:${line} emits ${name}, which is deprecated: after ${until} the build refuses it`);
run("events/contracts/, docs/asyncapi.json, docs/events.html", ["scripts/run-ts.mjs", "events/write-contracts.ts"]);
run("docs/openapi.json", ["dist/cli.js", "gen", "client", "--lang", "openapi", "--output", "docs/openapi.json"]);
write("docs/permissions.md", renderPermissions(JSON.parse(read(".encore/groundwork/model.json")) as EndpointsModel));
const map = /```mermaid\s*\nflowchart TD[\s\S]*?```/;
write(
  "README.md",
  read("README.md").replace(map, () => `\`\`\`mermaid\n${toMermaid(roomGraph(project))}\n\`\`\``),
);
// The catalogues import the SDK, which needs the host around it: the test has that.
run("docs/errors.md", ["node_modules/vitest/vitest.mjs", "run", "__tests__/errors.test.ts", "-u"]);
