// The embedded Postgres process: started by the host with an IPC channel, ends when that channel does (so
// also when the host is killed outright), writes everything out when told to stop. Terminal signals reach
// the whole process group, therefore they are ignored here: the host decides when its database goes.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { compilerFlags, type EmbeddedAnswer, type EmbeddedOptions, type InitialiseOptions } from "./embedded/options";
import { Engine } from "./embedded/engine";
import { Scheduler } from "./embedded/scheduler";
import { type Database, listen } from "./embedded/server";
import { waitForLock } from "./state-lock";

const input = JSON.parse(process.argv[2] ?? "{}") as EmbeddedOptions | InitialiseOptions;
const options = input as EmbeddedOptions;
const open = new Map<string, Promise<Database>>();

const say = (answer: EmbeddedAnswer): void => void process.send?.(answer);

function fail(error: unknown): void {
  say({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 100);
}

/** Makes a data folder in a process of its own, and beside its place first: a killed try leaves nothing half made. */
async function initialise(dataDir: string, name: string): Promise<void> {
  const draft = `${dataDir}.new`;
  rmSync(draft, { recursive: true, force: true });
  const errand: InitialiseOptions = { initialise: { dataDir: draft, name } };
  const child = spawn(process.execPath, [process.argv[1] ?? "", JSON.stringify(errand)], { stdio: "inherit" });
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`making the database failed (${signal ?? `code ${code}`})`)),
    );
  });
  renameSync(draft, dataDir);
}

async function openDatabase(name: string): Promise<Database> {
  const dataDir = join(options.dataDir, name);
  if (!existsSync(join(dataDir, "PG_VERSION"))) await initialise(dataDir, name);
  const engine = await Engine.open(dataDir, name);
  return { engine, scheduler: new Scheduler(engine, { idleOwnerMs: options.idleOwnerMs, onFatal: fail }) };
}

function databaseNamed(name: string): Promise<Database | undefined> {
  if (!options.databases.includes(name)) return Promise.resolve(undefined);
  let database = open.get(name);
  if (!database) open.set(name, (database = openDatabase(name)));
  return database;
}

let stopping = false;

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const database of await Promise.allSettled(open.values())) {
    if (database.status === "fulfilled") await database.value.engine.close();
  }
  if ("socket" in options.listen) rmSync(dirname(options.listen.socket), { recursive: true, force: true });
  if (options.temporary) rmSync(options.dataDir, { recursive: true, force: true });
  process.exit(0);
}

async function main(): Promise<void> {
  setFlagsFromString(compilerFlags(options.temporary ?? false));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  process.on("disconnect", () => void stop());
  process.on("message", () => void stop());
  if (!existsSync(options.dataDir)) mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  // The one before may still be writing out after its host was killed.
  await waitForLock(options.dataDir, "database", { pid: process.pid, since: new Date().toISOString() }, 30_000);
  const [first] = options.databases;
  if (first !== undefined) await databaseNamed(first);
  const { port } = await listen(options.listen, {
    ...(options.passwords === undefined ? {} : { passwords: options.passwords }),
    open: databaseNamed,
  });
  say({ ready: true, port });
}

/** What initdb made when this host was built; a built app has none and makes its own. */
const initialDatabase = join(dirname(process.argv[1] ?? ""), "initial-database", "data");

async function makeDataFolder({ dataDir, name }: InitialiseOptions["initialise"]): Promise<void> {
  setFlagsFromString(compilerFlags(true)); // lives for seconds
  if (existsSync(initialDatabase)) cpSync(initialDatabase, dataDir, { recursive: true });
  await Engine.initialise(dataDir, name);
}

if ("initialise" in input) await makeDataFolder(input.initialise);
else main().catch(fail);
