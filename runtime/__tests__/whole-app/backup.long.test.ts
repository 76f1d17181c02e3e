// Backup, destroy, restore on an empty state, by the commands of docs/guides/back-up-and-restore.md: the whole app has what
// it had, by the checksum of every table and object, and goes on with it.
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { checkArchive } from "../../backup/archive-check";
import { openStores } from "../../objects/stores";
import { type RunningApp, startApp, temporaryStateDir, until } from "./support/running-app";

const root = join(__dirname, "..", "..", "..");
const guide = readFileSync(join(root, "docs", "guides", "back-up-and-restore.md"), "utf8");
const [backup = "", restore = ""] = [...guide.matchAll(/^```sh run\n(.*?)\n```$/gms)].map(
  ([, command]) => command ?? "",
);

const state = temporaryStateDir();
const folder = temporaryStateDir();
const running: RunningApp[] = [];

afterAll(async () => {
  for (const app of running) await app.killTree();
  state.remove();
  folder.remove();
});

const demo = ["--after-start", "dist/demo.js"];
const env = {
  GROUNDWORK_DEMO_CORPUS: join(folder.path, "corpus"),
  GROUNDWORK_DEMO_QUERY: "how are user credentials protected?",
};

async function start(): Promise<RunningApp> {
  const app = await startApp(state.path, env, demo);
  running.push(app);
  await until("the demo's search is answered", () => app.output().includes("argon2id"));
  return app;
}

/** The guide's command, on this state, with a file of this test. */
async function run(command: string, file: string): Promise<string> {
  const [npx, name, ...words] = command.split(" ");
  expect([npx, name]).toEqual(["npx", "groundwork"]);
  const args = words.map((word) => (word === "backup.tar.gz" ? join(folder.path, file) : word));
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "dist", "cli.js"), ...args], {
    cwd: root,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", GROUNDWORK_STATE_DIR: state.path },
  });
  return stdout;
}

test("the whole app is what it was after backup, destruction and restore", async () => {
  mkdirSync(env.GROUNDWORK_DEMO_CORPUS, { recursive: true });
  writeFileSync(
    join(env.GROUNDWORK_DEMO_CORPUS, "passwords.md"),
    "# Passwords\n\nPasswords are hashed with argon2id.\n",
  );
  const first = await start();
  const objects = {
    buckets: [{ name: "asset-files", public: false, versioned: false }] as never,
    objectsDir: join(state.path, "objects"),
  };
  await openStores(objects).stores.get("asset-files")?.put("kept", Buffer.from("bytes"), { notExists: false });

  expect(await run(backup, "beside.tar.gz")).toMatch(
    /app: \d+ rows, asset-files: 1 objects[\s\S]*not in it: the secrets \(.*MasterKey/,
  );
  expect(await first.stop()).toBe(0);
  await run(backup, "before.tar.gz");

  for (const kept of ["secrets.json", "demo.json"]) copyFileSync(join(state.path, kept), join(folder.path, kept));
  rmSync(state.path, { recursive: true });
  expect(await run(restore, "before.tar.gz")).toContain("every table and object was read back");
  await run(backup, "after.tar.gz");

  const before = await checkArchive(join(folder.path, "before.tar.gz"));
  const after = await checkArchive(join(folder.path, "after.tar.gz"));
  expect(Object.keys(before.checksums.databases.app ?? {}).length).toBeGreaterThan(90);
  expect(after.checksums.databases).toEqual(before.checksums.databases);
  expect(after.checksums.objects).toEqual(before.checksums.objects);
  expect(before.checksums.databases.app?.["vectors.chunk"]?.rows).toBeGreaterThan(0);

  for (const kept of ["secrets.json", "demo.json"]) copyFileSync(join(folder.path, kept), join(state.path, kept));
  const second = await start(); // signs in as before and finds what was taken in before
  expect(second.output()).not.toContain("Ingesting");
  expect(await second.stop()).toBe(0);
}, 240_000);
