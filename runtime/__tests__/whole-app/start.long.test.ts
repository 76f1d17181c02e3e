// `npm start`'s promises about processes and state: one start at a time on one state, nothing left behind by any
// kind of end, and the same journey for a person whichever way the last run ended.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  isRunning,
  migratedStateDir,
  processTree,
  type RunningApp,
  startApp,
  temporaryStateDir,
  until,
} from "./support/running-app";

const running: RunningApp[] = [];
const states: { remove(): void }[] = [];

function state(): string {
  const made = temporaryStateDir();
  states.push(made);
  return made.path;
}

function migrated(): string {
  const made = migratedStateDir();
  states.push(made);
  return made.path;
}

/** What a start that must not succeed says. */
function refusalOf(stateDir: string, env: Record<string, string> = {}): Promise<string> {
  return start(stateDir, env).then(
    () => "it started",
    (error: Error) => error.message,
  );
}

async function start(stateDir: string, env: Record<string, string> = {}, args: string[] = []): Promise<RunningApp> {
  const app = await startApp(stateDir, env, args);
  running.push(app);
  return app;
}

afterEach(async () => {
  for (const app of running.splice(0)) await app.killTree();
  for (const made of states.splice(0)) made.remove();
});

/** Waits until the app has printed `text`; a failure shows what it printed instead. */
async function untilPrinted(app: RunningApp, text: string): Promise<void> {
  await until(`"${text}" is printed`, () => app.output().includes(text)).catch((error: Error) => {
    throw new Error(`${error.message}\n${app.output()}`);
  });
}

function corpusFolder(stateDir: string): string {
  const folder = join(stateDir, "corpus");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "passwords.md"),
    "# Passwords\n\nPasswords are hashed with argon2id before they are stored.\n",
  );
  writeFileSync(join(folder, "bread.md"), "# Bread\n\nKnead the dough for ten minutes and let it rise overnight.\n");
  return folder;
}

describe("npm start", () => {
  test("ingests the corpus once and answers the printed search at every start; a second start beside it is refused, and one that is killed outright leaves no process behind", async () => {
    const stateDir = state();
    const env = {
      GROUNDWORK_DEMO_CORPUS: corpusFolder(stateDir),
      GROUNDWORK_DEMO_QUERY: "how are user credentials protected?",
    };
    const first = await start(stateDir, env, ["--after-start", "dist/demo.js"]);
    await untilPrinted(first, "curl");
    await untilPrinted(first, "argon2id");
    expect(first.output()).toMatch(/Console: \S+\/console#gwl_[\w-]{43}/);

    const refusal = await refusalOf(stateDir);
    expect(refusal).toContain(String(first.process.pid));
    expect(refusal).toMatch(/GROUNDWORK_STATE_DIR/);
    expect((await fetch(`${first.baseUrl}/livez`)).status).toBe(200);
    expect(await first.stop()).toBe(0);

    const second = await start(stateDir, env, ["--after-start", "dist/demo.js"]);
    await untilPrinted(second, "argon2id");
    expect(second.output()).not.toMatch(/ingesting/i);
    const tree = processTree(second.process.pid ?? 0);
    expect(tree.length).toBeGreaterThan(1);
    second.process.kill("SIGKILL");
    await until("every process of the tree is gone", () => !tree.some(isRunning));
  });

  test("reports every unusable setting at once, by name, and does not start", async () => {
    const refusal = await refusalOf(migrated(), { LOG_LEVEL: "loud", DB_POOL_MAX: "many" });
    expect(refusal).toContain("LOG_LEVEL");
    expect(refusal).toContain("DB_POOL_MAX");
  });
});
