// The database's process lives exactly as long as its host, and one state folder has one host.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, test, vi } from "vitest";
import { InfraError, startInfra } from "..";
import { hostPackageRoot } from "../../host-files";
import { startEmbedded } from "../embedded-process";
import { acquireLock, LockedError } from "../state-lock";
import {
  answerOf,
  isAlive,
  modelWith,
  removeFolders,
  runProgram,
  stateWithDatabase,
  temporaryFolder,
  until,
} from "./support";

afterAll(removeFolders);
vi.setConfig({ testTimeout: 60_000 }); // seconds on a quiet machine, but each test starts several processes

const hostProgram = `
import pg from "pg";
import { startInfra } from "./start";
const model = JSON.parse(process.env.TEST_MODEL);
const infra = await startInfra({ appRoot: "/", stateDir: process.env.TEST_STATE, env: {}, model, port: 4321, log: () => {} });
const url = infra.databases.app.ownerUrl;
const client = new pg.Client(url);
await client.connect();
await client.query("create table if not exists written (n int primary key)");
const first = Number((await client.query("select coalesce(max(n), 0) as n from written")).rows[0].n);
process.send({ url });
for (let n = first + 1; ; n++) {
  await client.query("insert into written values ($1)", [n]);
  process.send({ written: n });
}
`;

const noEnvironment = { DATABASE_URL: "", REDIS_URL: "", ENCORE_INFRA_CONFIG_PATH: "" };

test("a killed host leaves no process behind, loses nothing acknowledged, and a second start meanwhile is refused", async () => {
  const stateDir = await stateWithDatabase();
  const env = { ...noEnvironment, TEST_STATE: stateDir, TEST_MODEL: JSON.stringify(modelWith("app")) };
  let acknowledged = 0;
  for (let round = 0; round < 2; round++) {
    const host = await runProgram(`host-${round}`, hostProgram, env);
    const { url } = (await answerOf(host)) as { url: string };
    const client = new pg.Client(url);
    client.on("error", () => undefined);
    await client.connect();
    host.on(
      "message",
      (message: { written?: number }) => (acknowledged = Math.max(acknowledged, message.written ?? 0)),
    );

    const second = startInfra({ appRoot: "/", stateDir, env: {}, model: modelWith("app"), log: () => undefined });
    await expect(second).rejects.toThrow(InfraError);
    await expect(second).rejects.toThrow(
      new RegExp(`in use by process ${host.pid} since .*, port 4321\\n.*GROUNDWORK_STATE_DIR`),
    );

    const before = acknowledged;
    await until(() => acknowledged > before + 100 + round * 37);
    host.kill("SIGKILL");
    await new Promise((resolve) => client.once("end", resolve));
  }
  const infra = await startInfra({ appRoot: "/", stateDir, env: {}, model: modelWith("app"), log: () => undefined });
  const client = new pg.Client(infra.databases.app?.ownerUrl);
  await client.connect();
  const { rows } = await client.query<{ highest: number; count: number }>(
    "select max(n) as highest, count(*)::int as count from written",
  );
  expect(rows[0]?.highest).toBeGreaterThanOrEqual(acknowledged);
  expect(rows[0]?.count).toBe(rows[0]?.highest);
  await client.end();
  await infra.stop();
});

test("a new database is a copy of the one that was made with the host, so that no start pays for initdb", async () => {
  const dataDir = join(temporaryFolder(), "postgres");
  const made = await startEmbedded({ dataDir, databases: ["named"] });
  const client = new pg.Client(made.url("named"));
  await client.connect();
  const { rows } = await client.query<{ name: string }>("select current_database() as name");
  await client.end();
  await made.stop();
  expect(rows).toEqual([{ name: "named" }]);
  // The first field of pg_control is the number that initdb gives each cluster it makes.
  const systemIdentifier = (folder: string): bigint =>
    readFileSync(join(folder, "global/pg_control")).readBigUInt64LE(0);
  expect(systemIdentifier(join(dataDir, "named"))).toBe(
    systemIdentifier(join(hostPackageRoot, "dist/initial-database/data")),
  );
});

test("the database's process ends when its host is killed outright", async () => {
  const program = `
    import { startEmbedded } from "./embedded-process";
    const postgres = await startEmbedded({ dataDir: process.env.TEST_STATE, databases: [] });
    process.send({ pid: postgres.pid });
    setInterval(() => {}, 1000);`;
  const host = await runProgram("parent", program, { TEST_STATE: temporaryFolder() });
  const { pid } = (await answerOf(host)) as { pid: number };
  expect(isAlive(pid)).toBe(true);
  host.kill("SIGKILL");
  await until(() => !isAlive(pid));
});

test("a database process that dies by itself comes back at the same address with everything acknowledged", async () => {
  const postgres = await startEmbedded({ dataDir: join(await stateWithDatabase(), "postgres"), databases: ["app"] });
  const pool = new pg.Pool({ connectionString: postgres.ownerUrl("app"), max: 1 });
  pool.on("error", () => undefined);
  await pool.query("create table kept (n int); insert into kept values (1)");
  const { pid } = postgres;
  process.kill(pid, "SIGKILL");
  await until(() => !isAlive(pid));
  await until(() =>
    pool.query("select n from kept").then(
      ({ rows }) => rows.length === 1,
      () => false,
    ),
  );
  expect(postgres.pid).not.toBe(pid);
  await pool.end();
  await postgres.stop();
});

test("the lock of a folder has one holder, tells who that is, and ends with its process", async () => {
  const folder = temporaryFolder();
  const program = `
    import { acquireLock } from "./state-lock";
    await acquireLock(process.env.TEST_STATE, "state", { pid: process.pid, since: "2026-01-01T00:00:00.000Z", port: 4000 });
    process.send({ locked: true });
    setInterval(() => {}, 1000);`;
  const holder = await runProgram("holder", program, { TEST_STATE: folder });
  await answerOf(holder);
  const mine = { pid: process.pid, since: "2026-01-01T00:00:01.000Z" };
  const refused = await acquireLock(folder, "state", mine).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(LockedError);
  expect((refused as LockedError).holder).toMatchObject({ pid: holder.pid, port: 4000 });
  await (await acquireLock(temporaryFolder(), "state", mine)).release();
  await (await acquireLock(folder, "another purpose", mine)).release();
  holder.kill("SIGKILL");
  await new Promise((resolve) => holder.once("exit", resolve));
  const lock = await acquireLock(folder, "state", mine);
  await lock.release();
});
