// `exec`: a command sees the app's databases and secrets through encore.dev, its exit code is ours, and a signal reaches it
// before the database goes (B-43).
import { type ChildProcess, spawn } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeFolders, stateWithDatabase } from "../../infra/__tests__/support";
import { Scratch } from "../../parse/__tests__/case-app";
import { hostFile } from "../../host-files";

const files = {
  "shop/api.ts": `import { api } from "encore.dev/api";
import { secret } from "encore.dev/config";
import { SQLDatabase } from "encore.dev/storage/sqldb";
export const db = new SQLDatabase("app", { migrations: "./migrations" });
export const key = secret("ShopKey");
export const ping = api({}, async (): Promise<void> => { await db.exec\`SELECT 1\`; key(); });
`,
  "shop/migrations/1_create_item.up.sql": "CREATE TABLE item (name text);\n",
  "scripts/count.mjs": `import { SQLDatabase } from "encore.dev/storage/sqldb";
import { secret } from "encore.dev/config";
import { appMeta } from "encore.dev";
const db = SQLDatabase.named("app");
await db.exec\`INSERT INTO item VALUES (\${process.argv[2]})\`;
const { n } = await db.queryRow\`SELECT count(*)::int AS n FROM item\`;
console.log(JSON.stringify({ n, key: secret("ShopKey")(), type: appMeta().environment.type }));
process.exit(7);
`,
  "scripts/wait.mjs": `process.on("SIGTERM", () => { console.log("told to end"); process.exit(3); });
setInterval(() => undefined, 1000);
console.log("waiting");
`,
};

let scratch: Scratch;
let app: string;
let state: string;

beforeAll(async () => {
  scratch = new Scratch();
  app = scratch.fromFiles(files);
  state = await stateWithDatabase();
});

afterAll(() => {
  scratch.dispose();
  removeFolders();
});

interface Run {
  child: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

function exec(...command: string[]): Run {
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: process.env.HOME ?? "",
    GROUNDWORK_STATE_DIR: state,
    ShopKey: "from the environment",
  };
  const child = spawn(process.execPath, [hostFile("cli.js"), "exec", "--app", app, "--", ...command], {
    cwd: app,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  return { child, output: () => text, ended: new Promise((resolve) => child.once("exit", (code) => resolve(code))) };
}

test("a script uses the migrated database and the secrets, and its exit code is the command's", async () => {
  for (const n of [1, 2]) {
    const run = exec("node", "scripts/count.mjs", `item ${n}`);
    expect([await run.ended, run.output()]).toEqual([
      7,
      expect.stringContaining(JSON.stringify({ n, key: "from the environment", type: "development" })) as string,
    ]);
  }
});

test("a signal is the script's to answer", async () => {
  const run = exec("node", "scripts/wait.mjs");
  await new Promise<void>((resolve) =>
    run.child.stdout?.on("data", () => run.output().includes("waiting") && resolve()),
  );
  run.child.kill("SIGTERM");
  expect([await run.ended, run.output()]).toEqual([3, expect.stringContaining("told to end") as string]);
});

test("a command that does not exist, and none at all, are told apart from one that failed", async () => {
  const missing = exec("no-such-command");
  expect([await missing.ended, missing.output()]).toEqual([1, expect.stringContaining("no-such-command") as string]);
  const none = exec();
  expect([await none.ended, none.output()]).toEqual([
    1,
    expect.stringContaining("groundwork exec -- node script.js") as string,
  ]);
});
