// `run --watch`: a change in one file is served without a refused request in between, and nothing that is broken replaces
// what works (B-42).
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  isRunning,
  processTree,
  startApp,
  temporaryStateDir,
  until,
  type RunningApp,
} from "../../__tests__/whole-app/support/running-app";
import { hostPackageRoot } from "../../host-files";

const api = (version: string, more = ""): string => `import { api } from "encore.dev/api";
export const version = api({ expose: true, method: "GET", path: "/version" }, async (): Promise<{ version: string }> => ({ version: ${JSON.stringify(version)} }));
${more}`;

const state = temporaryStateDir();
const dir = join(state.path, "app");
const file = join(dir, "shop/api.ts");
let app: RunningApp | undefined;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

/** One answer over a connection of its own: what it said, or why there was none. */
function ask(path = "/version"): Promise<string> {
  return new Promise((resolve) => {
    const request = get(`${app?.baseUrl}${path}`, { agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () =>
        resolve(
          response.statusCode === 200 ? (JSON.parse(text) as { version: string }).version : `${response.statusCode}`,
        ),
      );
    });
    request.once("error", (error) => resolve(error.message));
  });
}

/** Asks without a pause until `version` answers; everything else that was answered meanwhile. */
async function askUntil(version: string): Promise<string[]> {
  const others = new Set<string>();
  await until(`version ${version} serves`, async () => {
    const answer = await ask();
    if (answer !== version) others.add(answer);
    return answer === version;
  });
  return [...others];
}

const said = (text: string): Promise<void> => until(`"${text}" is said`, () => app?.output().includes(text) ?? false);

afterEach(async () => {
  await app?.killTree();
  state.remove();
});

test("a change replaces the app without a gap; what is broken or does not start leaves it alone", async () => {
  write("encore.app", "{}");
  write("package.json", `{ "name": "watched", "type": "module" }`);
  write(
    "tsconfig.json",
    readFileSync(join(hostPackageRoot, "runtime/__tests__/fixtures/existing-app/tsconfig.json"), "utf8"),
  );
  write("shop/api.ts", api("one"));
  symlinkSync(join(hostPackageRoot, "node_modules"), join(dir, "node_modules"));
  app = await startApp(join(state.path, "state"), {}, ["--watch", "--app", dir]);
  const { pid = 0 } = app.process;
  expect(await ask()).toBe("one");

  writeFileSync(file, api("two"));
  expect(await askUntil("two")).toEqual(["one"]);

  writeFileSync(file, api("three", "export const broken = ;"));
  await said("shop/api.ts:3:23");
  await said("the last good build goes on serving");
  expect(await ask()).toBe("two");

  writeFileSync(file, api("four", `throw new Error("no start today");`));
  await said("no start today");
  await said("the app ended before it served");
  expect(await ask()).toBe("two");

  // A new file, a new endpoint, and a type that leads to other checks.
  write("shop/size.ts", "export interface Size { version: string }\n");
  writeFileSync(
    file,
    api(
      "five",
      `import type { Size } from "./size";
export const size = api({ expose: true, method: "GET", path: "/size" }, async (): Promise<Size> => ({ version: "new" }));`,
    ),
  );
  expect(await askUntil("five")).toEqual(["two"]);
  expect(await ask("/size")).toBe("new");

  // A source of the workspace, beside the app's folder.
  write("../lib/name.ts", `export const name = "beside one";\n`);
  const fromLib = api("").replace('version: "" }', "version: name }");
  writeFileSync(file, `import { name } from "../../lib/name";\n${fromLib}`);
  await askUntil("beside one");
  write("../lib/name.ts", `export const name = "beside two";\n`);
  expect(await askUntil("beside two")).toEqual(["beside one"]);
  writeFileSync(file, api("five"));
  await askUntil("five");

  // Folders that are gone before anybody could look into them.
  for (let i = 0; i < 100; i++) {
    mkdirSync(join(dir, `passing-${i}/deeper`), { recursive: true });
    rmSync(join(dir, `passing-${i}`), { recursive: true });
  }
  writeFileSync(file, api("six"));
  expect(await askUntil("six")).toEqual(["five"]);

  // A save right after another: a watcher that keeps quiet for a while after each change would miss it.
  for (let line = 4; line < 9; line++) {
    writeFileSync(file, api("broken", `${"\n".repeat(line - 3)}export const broken = ;`));
    await said(`shop/api.ts:${line}:23`);
    writeFileSync(file, api(`mended ${line}`));
    await askUntil(`mended ${line}`);
  }

  // What neither serves nor ends makes way for the next change.
  for (const stuck of ["for (;;);", "setInterval(() => undefined, 1_000); await new Promise(() => undefined);"]) {
    writeFileSync(file, api("stuck", `process.stdout.write("stuck in ${stuck.slice(0, 4)}"); ${stuck}`));
    await said(`stuck in ${stuck.slice(0, 4)}`);
    expect(await ask()).not.toBe("stuck");
    writeFileSync(file, api(`after ${stuck}`));
    await askUntil(`after ${stuck}`);
  }

  const processes = processTree(pid);
  expect(processes.length).toBeGreaterThan(2);
  expect(await app.stop()).toBe(0);
  await until("all of its processes are gone", () => !processes.some(isRunning));
  expect(existsSync(join(dir, "encore.gen"))).toBe(true);
});
