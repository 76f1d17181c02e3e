// A server that goes away takes connections with it that are in use just then. That must fail what they were used for,
// not the process.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { database, until } from "./kit";
import { bundleScript } from "./support/processes";

let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  script = await bundleScript(join(import.meta.dirname, "cut-connections.ts"), "cut-connections.mjs");
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(() => clone.drop());

const others =
  "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'locker'";

it("survives connections of topics and crons that are cut while they are in use", async () => {
  const operator = new Client({ connectionString: clone.url });
  const locker = new Client({ connectionString: clone.url, application_name: "locker" });
  await Promise.all([operator.connect(), locker.connect()]);
  const child = fork(script, [clone.url], { stdio: ["ignore", "inherit", "pipe", "ipc"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said: string[] = [];
  child.on("message", (text) => said.push(String(text)));
  const exit = once(child, "exit");
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));

  await until(() => said.includes("ready"));
  await locker.query("begin; lock table groundwork.cron_run in access exclusive mode");
  child.send("go");
  await until(async () => (await operator.query(`select 1 ${others} and wait_event_type = 'Lock'`)).rowCount === 1);
  await operator.query(`select pg_terminate_backend(pid) ${others}`);
  await until(() => said.includes("connection ended"));
  await locker.query("rollback");
  child.send("go");
  expect(await exit, errors).toEqual([0, null]);
  expect(said).toEqual(["ready", "claiming", "claim failed", "connection ended", "went on"]);
  await Promise.all([operator.end(), locker.end()]);
});
