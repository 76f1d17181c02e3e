// The simulator's app: a copy of this repository's, with services that emit, consume and work, and a version after it.
import { execFile } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";

const run = promisify(execFile);
const fixtures = join(root, "bench/simulator/__tests__/fixtures");

/** Makes the catalogue know the events of a leaf. */
function addDomain(copy: string, leaf: string): void {
  const list = join(copy, "events/catalog/index.ts");
  const text = readFileSync(list, "utf8");
  const changed = text.replace("const domains = { ", `const domains = { ...${leaf}, `);
  if (changed === text) throw new Error("the list of event domains is not written as the simulator expects it");
  writeFileSync(list, `import * as ${leaf} from "./${leaf}";\n${changed}`);
}

/** A folder with the app in one of its two versions; whoever asked removes it. */
export function simulatedApp(version: "this" | "next" = "this"): string {
  const copy = copyOfApp();
  cpSync(join(fixtures, "app"), copy, { recursive: true });
  addDomain(copy, "simulation");
  if (version === "next") {
    cpSync(join(fixtures, "next"), copy, { recursive: true });
    addDomain(copy, "closing");
  }
  return copy;
}

/** Builds it; resolves with a folder to run from, which needs nothing but the copy's packages. */
export async function built(copy: string): Promise<string> {
  const output = join(copy, ".encore", "build", "app");
  await run(process.execPath, [join(root, "dist/cli.js"), "build", "--app", copy, "--output", output], {
    env: { ...process.env, GROUNDWORK_STATE_DIR: join(copy, ".groundwork") },
  });
  return output;
}
