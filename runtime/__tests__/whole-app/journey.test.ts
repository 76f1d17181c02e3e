// docs/journey.md, followed to the letter on the app as `npm start` runs it: its commands in one shell, in order; what it
// says is printed is all that is printed. Only the address is this machine's.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migratedStateDir, type RunningApp, startApp } from "./support/running-app";

const root = join(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/journey.md"), "utf8");

interface Step {
  title: string;
  commands: string;
  /** What stands below the commands. */
  printed: string;
}

/** The page's blocks of commands, each with the text up to the next ones. */
const steps = page.split(/^(?=## )/m).flatMap((section): Step[] =>
  [...section.matchAll(/^```sh\n(.*?)^```$(.*?)(?=^```sh$|(?![^]))/gms)].map(([, commands = "", below = ""]) => ({
    title: /^## (.*)/.exec(section)?.[1] ?? "",
    commands,
    printed: /^```text\n(.*?)^```$/ms.exec(below)?.[1]?.trim() ?? "",
  })),
);

const state = migratedStateDir();
const END = "-- end of a step --";
let app: RunningApp;
/** What each step printed. */
let outputs: string[] = [];
let complaints = "";

beforeAll(async () => {
  app = await startApp(state.path);
  const script = steps.map(({ commands }) => `${commands}\necho; echo '${END}'\n`).join("");
  const commands = script.replaceAll("http://localhost:4000", app.baseUrl);
  const limits = { cwd: root, timeout: 120_000 };
  // What waits for ever is ended; how far it came is judged like the rest.
  const { stdout, stderr } = await promisify(execFile)("bash", ["-c", commands], limits).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  outputs = stdout.split(END).map((output) => output.trim());
  complaints = stderr;
});

afterAll(async () => {
  await app?.killTree();
  state.remove();
});

test("the page has all of it", () => {
  expect(steps.filter(({ printed }) => printed !== "").length).toBeGreaterThanOrEqual(8);
});

test.each(steps.map((step, index) => [index, step.title, step.printed] as const))(
  "step %i prints what the page says: %s",
  (index, _title, printed) => {
    expect(outputs[index], complaints).toBe(printed);
  },
);
