// What the tests of infra/ and sql/ share: an empty embedded database in a moment, folders that go away, and
// programs of the host run as processes of their own.
import { build } from "esbuild";
import { type ChildProcess, fork } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppModel, DatabaseModel } from "../../model";
import { hostPackageRoot } from "../../host-files";
import { cloneDatabase, type ClonedDatabase, createTemplate } from "..";

export const emptyModel = (name: string): DatabaseModel => ({ name, nonSequential: false, migrations: [] });

/** An embedded database without tables, with a process of its own; the tests make theirs, so they connect as the owner. */
export async function emptyDatabase(env: Record<string, string | undefined> = {}): Promise<ClonedDatabase> {
  const clone = await cloneDatabase(await createTemplate(emptyModel("app"), hostPackageRoot, env));
  return { ...clone, url: clone.ownerUrl };
}

/** A model with nothing but databases. */
export function modelWith(...names: string[]): AppModel {
  const nothing = {
    services: [],
    gateways: [],
    topics: [],
    crons: [],
    buckets: [],
    caches: [],
    metrics: [],
    packages: [],
    decls: {},
  };
  return { formatVersion: 1, app: { id: "" }, ...nothing, databases: names.map(emptyModel) };
}

const folders: string[] = [];

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "groundwork-infra-"));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A state folder whose database `app` is made already: making one takes seconds. */
export async function stateWithDatabase(): Promise<string> {
  const template = await createTemplate(emptyModel("app"), hostPackageRoot, {});
  const folder = temporaryFolder();
  if (template.kind === "embedded") cpSync(template.dir, join(folder, "postgres"), { recursive: true });
  return folder;
}

/** Runs TypeScript as a process of its own; `./` in its imports is runtime/infra/. */
export async function runProgram(name: string, source: string, env: Record<string, string>): Promise<ChildProcess> {
  const file = join(hostPackageRoot, "dist", `test-${name}-${process.pid}.mjs`);
  await build({
    stdin: { contents: source, resolveDir: join(hostPackageRoot, "runtime", "infra"), loader: "ts" },
    outfile: file,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  const child = fork(file, [], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: [],
    env: { ...process.env, ...env },
  });
  child.once("exit", () => rmSync(file, { force: true }));
  return child;
}

/** The next message of a program. */
export function answerOf(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as Record<string, unknown>));
    child.once("exit", (code, signal) => reject(new Error(`the program ended (${signal ?? code}) before it answered`)));
  });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for a condition, looking every 10 ms. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("the condition did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
