// The way of docs/guides/deploy-on-one-server.md without its containers: the login that the script makes, migrations with the
// operator's, the built app as production with its own, and the doctor's word on it.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOnServer, withDatabase } from "../../runtime/infra/database-url";

const root = join(import.meta.dirname, "..", "..");
const server = process.env.GROUNDWORK_TEST_POSTGRES_URL ?? "";
const name = `one_server_${randomBytes(4).toString("hex")}`;
const operatorUrl = withDatabase(server, name);
const script = readFileSync(join(root, "deploy", "postgres", "10-app-login.sh"), "utf8");
const run = promisify(execFile);

let folder = "";
let app: ChildProcess | undefined;

/** The script's statements, with a login and a database of this test: logins are the whole server's. */
function statements(): string[] {
  const [, sql = ""] = /<<'SQL'\n([\s\S]*?)\nSQL/.exec(script) ?? [];
  return sql
    .replaceAll(/^--.*\n/gm, "")
    .replaceAll(/\b(ROLE|TO|DATABASE) app\b/g, `$1 ${name}`)
    .replaceAll(":'app_password'", "'only here'")
    .split(/;\n?/)
    .filter((statement) => statement.trim() !== "");
}

beforeAll(async () => {
  await runOnServer(server, `create database ${name}`);
  for (const statement of statements())
    await runOnServer(operatorUrl, statement).catch((error: unknown) => {
      // Of another database of this server.
      if (!/role "groundwork_app" already exists/.test(String(error))) throw error;
    });
  folder = join(mkdtempSync(join(tmpdir(), "groundwork-deploy-")), "app");
  await run(process.execPath, [join(root, "dist", "cli.js"), "build", "--output", folder], { cwd: root });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
}, 300_000);

afterAll(async () => {
  if (app && app.exitCode === null) {
    app.kill("SIGKILL");
    await new Promise((resolve) => app?.once("exit", resolve));
  }
  await runOnServer(server, `drop database if exists ${name} with (force)`);
  await runOnServer(server, `drop role if exists ${name}`);
  rmSync(join(folder, ".."), { recursive: true, force: true });
});

function environment(url: string): Record<string, string> {
  return {
    ...{ PATH: process.env.PATH ?? "", NODE_ENV: "production", HOST: "127.0.0.1", PORT: "0", LOG_LEVEL: "error" },
    ...{ MasterKey: "k".repeat(44), GROUNDWORK_BASE_URL: "https://localhost", APP_URL: "https://localhost" },
    ...{ MAIL_URL: "smtp://127.0.0.1:1", MAIL_FROM: "mail@example.com", DATABASE_URL: url },
  };
}

function appUrl(): string {
  const url = new URL(operatorUrl);
  [url.username, url.password] = [name, "only here"];
  return url.toString();
}

async function start(url: string): Promise<{ said: string; address: string | undefined }> {
  const child = spawn(process.execPath, ["host/start.js"], { cwd: folder, env: environment(url) });
  app = child;
  let said = "";
  const address = await new Promise<string | undefined>((resolve) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      const found = /serving (http:\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", () => resolve(undefined));
  });
  return { said, address };
}

/** What the doctor says must be repaired, but for what the test's own server lacks. */
async function errorsFound(url: string): Promise<string[]> {
  const args = ["host/start.js", "doctor", "--json"];
  // With something to repair it exits with 1.
  const { stdout } = await run(process.execPath, args, { cwd: folder, env: environment(url) }).catch(
    (error: unknown) => error as { stdout: string },
  );
  const findings = JSON.parse(stdout) as { severity: string; code: string }[];
  return findings
    .filter(({ severity, code }) => severity === "error" && code !== "database_not_durable")
    .map(({ code }) => code);
}

test("migrated by the operator's login, the app serves production with its own, and the doctor tells the two apart, and everything is backed up beside it", async () => {
  const migrated = await run(process.execPath, ["host/start.js", "migrate"], {
    cwd: folder,
    env: environment(operatorUrl),
  });
  expect(migrated.stdout).toContain("migrations are applied");

  const { said, address } = await start(appUrl());
  if (address === undefined) throw new Error(said);
  await expect.poll(async () => (await fetch(`${address}/readyz`)).status, { timeout: 60_000 }).toBe(200);
  expect((await fetch(`${address}/livez`)).status).toBe(200);
  const registered = await fetch(`${address}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: `${name}@example.com`, password: randomUUID(), organisation: "Acme" }),
  });
  expect({ status: registered.status, body: await registered.text() }).toMatchObject({ status: 200 });

  expect(await errorsFound(appUrl())).toEqual([]);
  expect(await errorsFound(operatorUrl)).toEqual(["login_bypasses_row_security"]);
  const backup = ["host/start.js", "backup", join(folder, "..", "backup.tar.gz")];
  const { stdout } = await run(process.execPath, backup, { cwd: folder, env: environment(operatorUrl) });
  expect(stdout).toMatch(/app: \d+ rows[\s\S]*not in it: the secrets/);
  await expect(
    run(process.execPath, [...backup, "x"], { cwd: folder, env: environment(operatorUrl) }),
  ).rejects.toThrow();
  const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies: object };
  expect(dependencies).toHaveProperty("tar-stream");
  app?.kill("SIGTERM");
  await new Promise((resolve) => app?.once("exit", resolve));
}, 240_000);
