// `sql` beside a running app and without one: what it reads, and that it only reads. The attack: one script or session
// that gets itself out of its read-only transaction.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { overgrowth } from "../../../scripts/testing/growth";
import { type Infra, startInfra } from "../../infra";
import { runOnServer } from "../../infra/database-url";
import { lineTo } from "../../infra/__tests__/silent-line";
import { modelWith, removeFolders, stateWithDatabase, temporaryFolder } from "../../infra/__tests__/support";
import { Scratch } from "../../parse/__tests__/case-app";
import { hostFile } from "../../host-files";
import { converse } from "../sql";
import { type Rows, sqlErrorText, tableOf } from "../sql-output";
import { SqlSession, StatementError } from "../sql-session";
import { splitStatements } from "../sql-statements";

const files = {
  "encore.app": `{ "id": "test", "lang": "typescript" }\n`,
  "shop/api.ts": `import { api } from "encore.dev/api";
import { SQLDatabase } from "encore.dev/storage/sqldb";
export const db = new SQLDatabase("app");
export const ping = api({}, async (): Promise<void> => { await db.exec\`SELECT 1\`; });
`,
};

let scratch: Scratch;
let app: string;
let stateDir: string;
let running: Infra | undefined;
let url = "";

beforeAll(async () => {
  scratch = new Scratch();
  app = scratch.fromFiles(files);
  stateDir = await stateWithDatabase();
  running = await startInfra({ appRoot: app, stateDir, env: {}, model: modelWith("app"), log: () => undefined });
  url = running.databases.app?.ownerUrl ?? "";
  await runOnServer(url, "CREATE TABLE item (name text)");
  await runOnServer(url, "INSERT INTO item VALUES ('kept')");
});

afterAll(async () => {
  await running?.stop();
  scratch.dispose();
  removeFolders();
});

interface Answer {
  code: number | null;
  output: string;
}

async function sql(
  args: string[],
  { env = {}, input }: { env?: Record<string, string>; input?: string } = {},
): Promise<Answer> {
  const child = spawn(process.execPath, [hostFile("cli.js"), "sql", "--app", app, ...args], {
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", GROUNDWORK_STATE_DIR: stateDir, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(input ?? "");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { code, output };
}

const names = async (): Promise<unknown[]> =>
  (await runOnServer(url, "SELECT name FROM item ORDER BY name")).map(({ name }) => name);

describe("beside the running app", () => {
  it("prints rows as a table, as JSON, and from a pipe", async () => {
    expect(await sql(["-c", "SELECT name, null AS gone FROM item"])).toEqual({
      code: 0,
      output: "name │ gone\n─────┼─────\nkept │ ∅\n(1 row)\n",
    });
    const piped = await sql(["--json"], { input: "SELECT name FROM item;\n" });
    expect(JSON.parse(piped.output)).toEqual([{ name: "kept" }]);
  });

  it("refuses to write with the SQLSTATE and the remedy, and writes when it is told to", async () => {
    expect(await sql(["-c", "INSERT INTO item VALUES ('lost')"])).toEqual({
      code: 1,
      output: expect.stringMatching(/read-only transaction \(SQLSTATE 25006\)\n.*--write/) as string,
    });
    expect(await sql(["--write", "-c", "BEGIN; INSERT INTO item VALUES ('lost')"])).toMatchObject({
      code: 1,
      output: expect.stringContaining("left its transaction open") as string,
    });
    expect(await names()).toEqual(["kept"]);
    const written = await sql(["--write", "-c", "INSERT INTO item VALUES ('a'); DELETE FROM item WHERE name = 'a'"]);
    expect(written).toEqual({ code: 0, output: "INSERT 1\nDELETE 1\n" });
  });

  it("names a database that the app does not have", async () => {
    expect(await sql(["--database", "other", "-c", "SELECT 1"])).toEqual({
      code: 1,
      output: expect.stringContaining(`there is no database "other": the app has app`) as string,
    });
  });

  it("looks at a server that DATABASE_URL names", async () => {
    const env = { DATABASE_URL: url, GROUNDWORK_STATE_DIR: join(temporaryFolder(), "none") };
    expect((await sql(["-c", "SELECT name FROM item"], { env })).output).toContain("kept");
    const gone = await sql(["-c", "SELECT 1"], { env: { ...env, DATABASE_URL: "postgres://u@127.0.0.1:1/none" } });
    expect(gone).toMatchObject({ code: 1, output: expect.stringContaining("Does the database still run?") as string });
  });
});

describe("a session has an end to waiting", () => {
  it("for a server that says nothing any more, whether it reads or writes", async () => {
    const line = await lineTo(url);
    const sessions = await Promise.all([false, true].map((mayWrite) => SqlSession.open(line.url, mayWrite, 600)));
    line.isSilent = true;
    for (const ended of await Promise.allSettled(sessions.map((session) => session.run("SELECT 1", () => undefined))))
      expect(ended).toMatchObject({
        reason: { message: expect.stringContaining("said nothing for 1200 ms") as string },
      });
    line.close();
  });

  it("for a statement, but by a setting of the one session that all share on the embedded database", async () => {
    const session = await SqlSession.open(url, false);
    const shown: unknown[] = [];
    await session.run("SHOW statement_timeout; SELECT version() ~* 'emcc|emscripten|wasm'", ({ rows }) =>
      shown.push(...rows.flat()),
    );
    await session.close();
    const [limit, isEmbedded] = shown;
    expect(limit).toBe(isEmbedded === "t" ? "0" : "10min");
  });
});

describe("a session that only reads", () => {
  it.each([
    "SET TRANSACTION READ WRITE; DELETE FROM item",
    "SELECT 1; SET TRANSACTION READ WRITE; DELETE FROM item",
    "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM item",
    "SELECT set_config('transaction_read_only', 'off', true) FROM (DELETE FROM item RETURNING 1) t",
    "SET default_transaction_read_only = off; DELETE FROM item",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; COMMIT; DELETE FROM item",
    "COMMIT; DELETE FROM item",
    "ROLLBACK; BEGIN READ WRITE; DELETE FROM item",
    "COMMIT AND CHAIN; SET TRANSACTION READ WRITE; DELETE FROM item",
    "ROLLBACK AND CHAIN; SELECT set_config('transaction_read_only', 'off', false); DELETE FROM item",
    "SAVEPOINT s; SET TRANSACTION READ WRITE; DELETE FROM item",
    "START TRANSACTION READ WRITE; DELETE FROM item",
    "DO $$ BEGIN COMMIT; DELETE FROM item; END $$",
    "DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM item; END $$",
    "PREPARE d AS DELETE FROM item; COMMIT; EXECUTE d",
    "WITH gone AS (DELETE FROM item RETURNING 1) SELECT * FROM gone",
    "RESET ALL; DISCARD ALL; DELETE FROM item",
    "CREATE TABLE other (n int)",
    "ALTER ROLE postgres SET default_transaction_read_only = off",
    "TRUNCATE item",
    // What the splitter takes for a string and Postgres does not: the server refuses two statements in one message.
    "SET standard_conforming_strings = off; SELECT 'a\\'; COMMIT; DELETE FROM item; --'",
  ])("is not led to write by %s", async (script) => {
    const session = await SqlSession.open(url, false);
    try {
      for (const part of [script, "DELETE FROM item"])
        await expect(session.run(part, () => undefined)).rejects.toThrow(StatementError);
      expect(session.inTransaction).toBe(false);
    } finally {
      await session.close();
    }
    expect(await names()).toEqual(["kept"]);
    expect(await runOnServer(url, "SELECT to_regclass('other') AS other")).toEqual([{ other: null }]);
  });

  it("answers a person line by line, survives an error, keeps settings and holds no transaction open", async () => {
    const session = await SqlSession.open(url, false);
    const [input, output] = [new PassThrough(), new PassThrough()];
    input.end(
      [
        "SELECT name",
        "FROM item; -- two lines",
        "SELECT nothing FROM item;",
        "SET search_path = pg_catalog;",
        "SHOW search_path;",
        "\\d public.item",
        "\\x",
        "\\q",
        "SELECT 'after the end';",
      ].join("\n"),
    );
    await converse(session, "app", { input, output });
    expect(session.inTransaction).toBe(false);
    await session.close();
    output.end();
    const said = await textOf(output);
    expect(said).toContain("kept\n(1 row)");
    expect(said).toMatch(/column "nothing" does not exist \(SQLSTATE 42703\) at line 1, column 8\n.*\\d/);
    expect(said).toContain("search_path\n───────────\npg_catalog\n");
    expect(said).toMatch(/name +│ text +│ t/);
    expect(said).toContain(String.raw`\x is not known here`);
    expect(said).not.toContain("after the end");
  });
});

describe("when nothing runs", () => {
  it("says what to do where no database was ever made", async () => {
    const env = { GROUNDWORK_STATE_DIR: join(temporaryFolder(), "state") };
    expect(await sql(["-c", "SELECT 1"], { env })).toEqual({
      code: 1,
      output: expect.stringMatching(/there is no database in .* yet\n.*npm start/) as string,
    });
  });

  it("waits for an app that holds the state and has not opened its database", async () => {
    const { acquireLock } = await import("../../infra/state-lock");
    const folder = temporaryFolder();
    mkdirSync(join(folder, "postgres"));
    const lock = await acquireLock(folder, "state", { pid: process.pid, since: "" });
    const answer = await sql(["-c", "SELECT 1"], { env: { GROUNDWORK_STATE_DIR: folder } });
    await lock.release();
    expect(answer).toEqual({ code: 1, output: expect.stringContaining("has not opened its database yet") as string });
  });

  it("opens the embedded database for itself", async () => {
    await running?.stop();
    running = undefined;
    expect((await sql(["-c", "SELECT name FROM item"])).output).toContain("kept\n(1 row)");
  });
});

describe("what it prints", () => {
  const rows = (value: string): Rows => ({ command: "SELECT", count: 1, columns: ["v"], rows: [[value]] });

  it("shows what a terminal would obey, and cuts what is long", () => {
    expect(tableOf(rows("\u001b[2J\na"))).toContain("\\u{1b}[2J\\na");
    expect(tableOf(rows("x".repeat(100_000))).length).toBeLessThan(1000);
  });

  it("tells a lost connection from an error of Postgres", () => {
    expect(sqlErrorText(Object.assign(new Error("x"), { code: "ECONNREFUSED" }))).toContain("ECONNREFUSED");
  });

  it.each([
    ["select 1; select 2", ["select 1"], "select 2"],
    ["select ';' ; select $a$;$$;$a$;", ["select ';'", "select $a$;$$;$a$"], ""],
    ["/* ; /* ; */ ; */ select 1; -- ;", ["/* ; /* ; */ ; */ select 1"], ""],
    [`select e'\\';' , ";"";";`, [`select e'\\';' , ";"";"`], ""],
    ["select 'open; ", [], "select 'open;"],
    ["select $1, a$b$c; select 2;", ["select $1, a$b$c", "select 2"], ""],
  ])("takes %j apart", (script, statements, rest) => {
    expect(splitStatements(script)).toEqual({ statements, rest });
  });

  it.each(["'", "$a$", "/*", "--\n", ";", "e'", '"', "$"])(
    "takes a large text of %s apart in a time in proportion",
    async (part) => {
      expect(await overgrowth(50_000, (count) => part.repeat(count), splitStatements)).toBeUndefined();
    },
  );
});
